import { describe, expect, test } from '@jest/globals';
import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { BytesAnswer } from '@sbox/protocol';
import { createManagerBlobs } from './manager-blobs.ts';

const mib = 1024 * 1024;
const content = Buffer.from(Array.from({ length: 2.5 * mib }, (_, index) => (index * 7 + (index >> 9)) % 253));
const digest = digestOf(content, sha256);
const etag = `"${digest}"`;
const { signal } = new AbortController();

interface Asked {
  readonly range: string | undefined;
  readonly 'if-range': string | undefined;
}
type Give = (from: number, to: number) => Partial<BytesAnswer> | undefined;

/** A manager that gives ranges; `give` says otherwise. */
function open(give: Give = () => undefined) {
  const asked: Asked[] = [];
  const blobs = createManagerBlobs({
    async blob({ headers = {} }) {
      const { range, 'if-range': ifRange } = headers;
      asked.push({ range, 'if-range': ifRange });
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      const [from, to] = [Number(first), Math.min(Number(last) + 1, content.length)];
      const honest = { bytes: content.subarray(from, to), etag, range: `bytes ${from}-${to - 1}/${content.length}` };
      return await Promise.resolve({ ...honest, ...give(from, to) });
    },
  });
  const read = async (offset: number): Promise<{ offset: number; digest: string } | string> => {
    try {
      const stream = await blobs.open?.(digest, offset, signal);
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream?.chunks ?? []) chunks.push(chunk);
      return { offset: stream?.offset ?? -1, digest: digestOf(Buffer.concat(chunks), sha256) };
    } catch (error) {
      return error instanceof ProblemError ? error.code : String(error);
    }
  };
  return { asked, read };
}

describe('large content from the manager', () => {
  test.each([0, 1, mib, 2 * mib + 5])(
    'from byte %i on comes in pieces, each asked for by its digest',
    async (offset) => {
      const { asked, read } = open();
      expect(await read(offset)).toEqual({ offset, digest: digestOf(content.subarray(offset), sha256) });
      expect(asked).toHaveLength(Math.ceil((content.length - offset) / mib));
      expect(asked[0]).toEqual({ range: `bytes=${offset}-${offset + mib - 1}`, 'if-range': etag });
    },
  );

  test('comes whole from a manager that knows no ranges', async () => {
    const { read } = open(() => ({ bytes: content, range: undefined as never }));
    expect(await read(mib)).toEqual({ offset: 0, digest });
  });

  test.each<[string, Give]>([
    ['has another tag', () => ({ etag: '"other"' })],
    ['is of another place', (from, to) => ({ range: `bytes ${from + 1}-${to}/${content.length}` })],
    ['is shorter than it says', (from, to) => ({ bytes: content.subarray(from, to - 1) })],
    ['has nothing in it', () => ({ bytes: new Uint8Array(), range: 'bytes 0--1/0' })],
    ['is nothing', () => ({ bytes: undefined })],
  ])('a piece that %s is not taken', async (_, give) => {
    expect(await open(give).read(0)).toBe('blob.fetch-failed');
    expect(await open((from, to) => (from === 0 ? undefined : give(from, to))).read(0)).toBe('blob.fetch-failed');
  });

  test('a manager that has something else meanwhile ends it, rather than to join the two', async () => {
    const { read } = open((from) => (from === 0 ? undefined : { bytes: content, range: undefined as never }));
    expect(await read(0)).toBe('blob.fetch-failed');
  });

  test('one that nobody knows is said to be that', async () => {
    const { read } = open(() => {
      throw new ProblemError('blob.not-found', digest);
    });
    expect(await read(0)).toBe('blob.not-found');
  });
});
