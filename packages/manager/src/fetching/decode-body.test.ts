import * as zlib from 'node:zlib';
import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import { unpackUnsaid } from './decode-body.ts';

const nodes = Buffer.from('trojan://example-password@192.0.2.1:443#One');

test.each([
  ['gzip', zlib.gzipSync(nodes)],
  ['zstd', zlib.zstdCompressSync(nodes)],
  ['nothing', nodes],
])('%s that no header named is undone', (_, bytes) => {
  expect(Buffer.from(unpackUnsaid(bytes, 1_000))).toEqual(nodes);
});

test.each([
  ['gzip', zlib.gzipSync(Buffer.alloc(50_000_000))],
  ['zstd', zlib.zstdCompressSync(Buffer.alloc(50_000_000))],
])('a bomb of %s is stopped while it unpacks', (_, bytes) => {
  const unpack = (): unknown => unpackUnsaid(bytes, 100_000);
  expect(unpack).toThrow(ProblemError);
  expect(unpack).toThrow(expect.objectContaining({ code: 'subscription.too-large', details: { max_bytes: 100_000 } }));
});

test('what is torn stays as it came', () => {
  const torn = zlib.gzipSync(nodes).subarray(0, 20);
  expect(unpackUnsaid(torn, 1_000)).toBe(torn);
});
