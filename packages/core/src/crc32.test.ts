import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { crc32 } from './crc32.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('the check value of the standard', () => {
  expect(crc32(bytes('123456789'))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array())).toBe(0);
});

test('one changed bit is always found', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), (data, at) => {
      const changed = data.slice();
      const index = at % data.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << (at & 7));
      expect(crc32(changed)).not.toBe(crc32(data));
    }),
  );
});
