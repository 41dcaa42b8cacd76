import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { createOneTime } from './one-time.ts';
import { createSeal } from './sealed-cookie.ts';

test('what is kept is there once, for a while, and only the newest', async () => {
  const clock = createFakeClock();
  const kept = createOneTime<number>(clock, { most: 2, ms: 1000 });
  kept.put('a', 1);
  expect([kept.take('a'), kept.take('a')]).toEqual([1, undefined]);
  for (const [index, key] of ['b', 'c', 'd'].entries()) kept.put(key, index);
  expect([kept.take('b'), kept.take('c')]).toEqual([undefined, 1]);
  await clock.advance(1000);
  expect(kept.take('d')).toBeUndefined();
});

test('a seal opens what it closed, for a while, and nothing else', async () => {
  const clock = createFakeClock();
  const [seal, other] = [createSeal(randomBytes, clock, 1000), createSeal(randomBytes, clock, 1000)];
  const text = seal.close({ state: 'a' });
  expect(seal.open(text)).toEqual({ state: 'a' });
  expect(text).not.toContain(Buffer.from('state').toString('base64url').slice(0, 5));
  const bytes = Buffer.from(text, 'base64url');
  for (const at of [0, 12, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(seal.open(changed.toString('base64url'))).toBeUndefined();
  }
  for (const foreign of ['', 'a', other.close({ state: 'a' }), text.slice(0, 20)])
    expect(seal.open(foreign)).toBeUndefined();
  await clock.advance(1000);
  expect(seal.open(text)).toBeUndefined();
});
