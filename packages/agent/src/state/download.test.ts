import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import fc from 'fast-check';
import { makeTestDirectory } from '../../test/test-directory.ts';
import type { ContentStream } from '../order.ts';
import { createDisk } from './disk.ts';
import { download, partOf, type Download } from './download.ts';
import { createLargeFiles, type LargeFiles } from './large-files.ts';

const directory = makeTestDirectory('download');
const file = path.join(directory, 'content');
const part = partOf(file);
beforeEach(() => {
  for (const entry of [file, part]) rmSync(entry, { force: true });
});

const content = Buffer.from(
  Array.from({ length: 3 * 1024 * 1024 + 17 }, (_, index) => (index * 31 + (index >> 8)) % 251),
);
const { signal } = new AbortController();
const files = createLargeFiles();

interface Giver {
  /** What it gives out; the asked content unless it lies. */
  readonly bytes?: Buffer;
  /** The link breaks there. */
  readonly breaksAt?: number;
  /** It ends there as if that were all. */
  readonly endsAt?: number;
  readonly startsAnew?: boolean;
}

const chunkBytes = 300_000;
const asked: number[] = [];
function open({ bytes = content, breaksAt, endsAt = bytes.length, startsAnew = false }: Giver): Download['open'] {
  return async (offset): Promise<ContentStream> => {
    asked.push(offset);
    const from = startsAnew ? 0 : offset;
    const chunks = (async function* give() {
      for (let at = from; at < endsAt; at += chunkBytes) {
        const end = Math.min(at + chunkBytes, endsAt);
        if (breaksAt !== undefined && end > breaksAt) {
          if (breaksAt > at) yield bytes.subarray(at, breaksAt);
          throw new ProblemError('blob.fetch-failed', 'cut');
        }
        yield await Promise.resolve(bytes.subarray(at, end));
      }
    })();
    return await Promise.resolve({ offset: from, chunks });
  };
}

const get = async (giver: Giver, more: Partial<Download> & { readonly with?: LargeFiles } = {}): Promise<string> => {
  const job = { digest: digestOf(content, sha256), size: content.length, file, mode: 0o700, signal, ...more };
  return await download(
    { disk: createDisk(), files: more.with ?? files },
    { isResumable: true, open: open(giver), ...job },
  ).then(
    () => 'ok',
    (error: unknown) => (error instanceof ProblemError ? error.code : String(error)),
  );
};

const place = fc.integer({ min: 0, max: content.length - 1 });

describe('a download', () => {
  test('goes on where the link broke, wherever that was, and is the content at the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(place, { maxLength: 4 }), async (breaks) => {
        for (const entry of [file, part]) rmSync(entry, { force: true });
        asked.length = 0;
        let most = 0;
        for (const breaksAt of breaks) {
          expect(await get({ breaksAt })).toBe('blob.fetch-failed');
          most = Math.max(most, breaksAt);
          expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
        }
        expect(await get({})).toBe('ok');
        expect(asked.at(-1)).toBe(most);
        expect(readFileSync(file).equals(content)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('that is changed or cut short at any byte is never taken, and the next one is whole', async () => {
    await fc.assert(
      fc.asyncProperty(place, fc.boolean(), async (at, isCut) => {
        for (const entry of [file, part]) rmSync(entry, { force: true });
        const changed = Buffer.from(content);
        changed[at] = (changed[at] ?? 0) ^ 1;
        const code = await get(isCut ? { endsAt: at } : { bytes: changed });
        expect(code).toBe(isCut ? 'blob.fetch-failed' : 'blob.digest-mismatch');
        expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
        expect(await get({})).toBe('ok');
        expect(readFileSync(file).equals(content)).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('does not blame a good giver for what lay here from another one', async () => {
    writeFileSync(part, Buffer.alloc(1_000_000, 7));
    expect(await get({})).toBe('ok');
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test('begins anew where the giver does, and where a part is longer than the content', async () => {
    writeFileSync(part, Buffer.alloc(1_000_000, 7));
    expect(await get({ startsAnew: true })).toBe('ok');
    rmSync(file);
    writeFileSync(part, Buffer.alloc(content.length + 1));
    expect(await get({})).toBe('ok');
  });

  test('of more than was promised stops there', async () => {
    expect(await get({ bytes: Buffer.concat([content, content]) })).toBe('blob.digest-mismatch');
    expect(statSync(part, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('asks for space first, and leaves nothing on a disk that fills up', async () => {
    asked.length = 0;
    expect(await get({}, { with: { ...files, freeBytes: async () => await Promise.resolve(1024) } })).toBe('disk.full');
    expect(asked).toEqual([]);
    let writes = 0;
    const full: LargeFiles = {
      ...files,
      async writeAt(...args) {
        writes += 1;
        if (writes === 3) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        await files.writeAt(...args);
      },
    };
    expect(await get({}, { with: full })).toContain('no space left');
    expect(statSync(part, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('keeps nothing of a giver whose bytes may be others tomorrow', async () => {
    expect(await get({ breaksAt: 2_000_000 }, { isResumable: false })).toBe('blob.fetch-failed');
    expect(statSync(part, { throwIfNoEntry: false })).toBeUndefined();
    expect(await get({}, { isResumable: false })).toBe('ok');
    expect(statSync(file).mode & 0o777).toBe(0o700);
  });
});
