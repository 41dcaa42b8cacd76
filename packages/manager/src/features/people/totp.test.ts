import { expect, test } from '@jest/globals';
import { randomBytes } from '@sbox/daemon/keys';
import * as fc from 'fast-check';
import { codeOfStep, encodeBase32, makeRecoveryCodes, makeSecret, stepOfCode, useCode } from './totp.ts';

/** RFC 6238, appendix B; there with eight digits. */
const key = Buffer.from('12345678901234567890');
const vectors = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
] as const;

test.each(vectors)('at second %i the code is %s', (seconds, code) => {
  expect(codeOfStep(key, Math.floor(seconds / 30))).toBe(code);
  expect(stepOfCode(encodeBase32(key), code, seconds * 1000, null)).toBe(Math.floor(seconds / 30));
});

test('base32 is that of RFC 4648', () => {
  expect(['f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => encodeBase32(Buffer.from(text)))).toEqual([
    'MY',
    'MZXQ',
    'MZXW6',
    'MZXW6YQ',
    'MZXW6YTB',
    'MZXW6YTBOI',
  ]);
});

test('a code is good one step before and after its own, and never twice', () => {
  const secret = encodeBase32(key);
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 2 ** 40 }), fc.integer({ min: -5, max: 5 }), (step, away) => {
      const found = stepOfCode(secret, codeOfStep(key, step), (step + away) * 30_000, step - 1);
      // Another step may have the same six digits.
      if (Math.abs(away) <= 1) expect(found).toBeDefined();
      else expect([undefined, step + away - 1, step + away, step + away + 1]).toContain(found);
      expect(found).not.toBe(Math.abs(away) <= 1 ? undefined : step);
      expect(stepOfCode(secret, codeOfStep(key, step), step * 30_000, step + 1)).toBeUndefined();
    }),
  );
});

test('recovery codes open once each, with or without dashes, in any case', () => {
  const { secret: totp_secret, uri } = makeSecret('anna b', randomBytes);
  expect(uri).toBe(`otpauth://totp/sbox:anna%20b?secret=${totp_secret}&issuer=sbox`);
  const { codes, stored } = makeRecoveryCodes(randomBytes);
  expect(new Set(codes).size).toBe(10);
  const user = { totp_secret, totp_last_step: null, totp_recovery: stored };
  const typed = codes[3]?.toLowerCase().replaceAll('-', ' ') ?? '';
  const used = useCode(user, typed, 0);
  expect(JSON.parse(used?.totp_recovery ?? '')).toHaveLength(9);
  expect(useCode({ ...user, ...used }, typed, 0)).toBeUndefined();
  expect(useCode({ ...user, ...used }, codes[4] ?? '', 0)).toBeDefined();
  for (const wrong of ['', '000000x', '----']) expect(useCode(user, wrong, 0)).toBeUndefined();
});
