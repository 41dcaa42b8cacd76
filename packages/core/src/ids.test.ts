import { expect, test } from '@jest/globals';
import { digestOf, hex, isDigest } from './digest.ts';
import { createNewId } from './ids.ts';

test('an id names its kind and has 16 letters and digits, whatever the random bytes are', () => {
  for (const fill of [0, 1, 255]) {
    const newId = createNewId((count) => new Uint8Array(count).fill(fill));
    expect(newId('srv')).toMatch(/^srv_[0-9A-Za-z]{16}$/);
  }
});

test('a digest is sha256 and 64 hex digits', () => {
  const digest = digestOf(new Uint8Array(), () => new Uint8Array(32).fill(10));
  expect(digest).toBe(`sha256:${'0a'.repeat(32)}`);
  expect(hex(new Uint8Array([0, 255]))).toBe('00ff');
  expect([digest, digest.toUpperCase(), `${digest}0`, `sha256:${'g'.repeat(64)}`].map(isDigest)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
