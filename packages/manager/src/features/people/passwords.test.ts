import { expect, test } from '@jest/globals';
import type { ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { createPasswords } from './passwords.ts';

const cheap = { ln: 8, r: 8, p: 1 };

test('a password is known again, and no other one is', async () => {
  const passwords = createPasswords(randomBytes);
  const hash = await passwords.hash('correct horse battery staple');
  expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}==\$[\w+/]{43}=$/);
  expect(await passwords.verify('correct horse battery staple', hash, '192.0.2.1')).toBe(true);
  expect(await passwords.verify('correct horse battery stapler', hash, '192.0.2.1')).toBe(false);
  expect(await passwords.verify('correct horse battery staple', undefined, '192.0.2.1')).toBe(false);
});

test('a hash says what it cost, so that a later default finds it right', async () => {
  const hash = await createPasswords(randomBytes, cheap).hash('quite a long password');
  expect(
    await createPasswords(randomBytes, { ...cheap, p: 2 }).verify('quite a long password', hash, '192.0.2.1'),
  ).toBe(true);
});

test('the same letters are the same password, however they were typed', async () => {
  const passwords = createPasswords(randomBytes, cheap);
  const hash = await passwords.hash('zw\u00f6lf Boxk\u00e4mpfer');
  expect(await passwords.verify('zwo\u0308lf Boxka\u0308mpfer', hash, '192.0.2.1')).toBe(true);
});

test('two hashes of one password have nothing in common', async () => {
  const passwords = createPasswords(randomBytes, cheap);
  const [one, two] = await Promise.all(['a', 'b'].map(async () => await passwords.hash('quite a long password')));
  expect(one?.split('$').slice(3)).not.toEqual(two?.split('$').slice(3));
});

test('a few are computed at once, some of each place wait, and the rest are sent away', async () => {
  const passwords = createPasswords(randomBytes, cheap);
  const verify = async (place: string) => await passwords.verify('x', undefined, place);
  const all = await Promise.allSettled(Array.from({ length: 40 }, async () => await verify('192.0.2.1')));
  const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  expect(refused).toHaveLength(36);
  for (const reason of refused) expect((reason as ProblemError).code).toBe('internal.unavailable');
  // Their places are free again.
  expect(await verify('192.0.2.1')).toBe(false);
});

test('who came from a place before does not wait behind strangers', async () => {
  const passwords = createPasswords(randomBytes, cheap);
  passwords.remember('192.0.2.9');
  const done: string[] = [];
  const flood = Array.from({ length: 50 }, async (_, index) => {
    await passwords.verify('x', undefined, `198.51.100.${index}`);
    done.push('stranger');
  });
  const honest = passwords.verify('x', undefined, '192.0.2.9').then(() => done.push('honest'));
  await Promise.all([...flood, honest]);
  expect(done.indexOf('honest')).toBeLessThan(5);
});
