import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { decodeBase62, encodeBase62 } from './base62.ts';

test('bytes come back, and equal lengths give equal lengths', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = encodeBase62(bytes);
      expect(text).toMatch(/^[0-9A-Za-z]*$/);
      expect(text).toHaveLength(encodeBase62(new Uint8Array(bytes.length).fill(255)).length);
      expect(decodeBase62(text, bytes.length)).toEqual(new Uint8Array(bytes));
    }),
  );
});

test('known values', () => {
  expect(encodeBase62(new Uint8Array(4))).toBe('000000');
  expect(encodeBase62(new Uint8Array([0, 0, 0, 61]))).toBe('00000z');
  expect(encodeBase62(new Uint8Array([255, 255, 255, 255]))).toBe('4gfFC3');
});

test.each(['', '00000', '0000000', '00000-', '00000é', '4gfFC4', 'zzzzzz', '😀😀😀'])(
  '%j is not four bytes',
  (text) => {
    expect(decodeBase62(text, 4)).toBeUndefined();
  },
);

test('any text is bytes of that length or undefined', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(40), (text, length) => {
      const bytes = decodeBase62(text, length);
      if (bytes) expect(encodeBase62(bytes)).toBe(text);
    }),
  );
});
