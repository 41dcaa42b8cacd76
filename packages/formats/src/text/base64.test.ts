import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { decodeBase64, decodeBase64Bytes } from './base64.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 60 });

test('every form of base64 gives the text', () => {
  fc.assert(
    fc.property(text, fc.boolean(), fc.boolean(), fc.constantFrom('', ' ', '\r\n'), (plain, isUrl, isPadded, space) => {
      const standard = Buffer.from(plain).toString('base64');
      const digits = isUrl ? standard.replaceAll('+', '-').replaceAll('/', '_') : standard;
      const sent = (isPadded ? digits : digits.replace(/=+$/, '')).replace(/.{7}/g, `$&${space}`);
      expect(decodeBase64(sent)).toBe(plain);
    }),
  );
});

test('any bytes come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      expect(decodeBase64Bytes(Buffer.from(bytes).toString('base64url'))).toEqual(bytes);
    }),
  );
});

test.each(['a', 'abcde', '%%%', 'aéc=', 'a:b', '{}'])('%s is no base64', (sent) => {
  expect(decodeBase64(sent)).toBeUndefined();
});

test('wrong padding does no harm, bytes that are no text do', () => {
  expect(decodeBase64('aGk')).toBe('hi');
  expect(decodeBase64('aGk==')).toBe('hi');
  expect(decodeBase64('/////w==')).toBeUndefined();
});
