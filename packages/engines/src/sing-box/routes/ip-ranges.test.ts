import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { createIpSet, isPrivateIp, parseIp, parsePrefix } from './ip-ranges.ts';

test.each(['', 'x', '1.2.3', '1.2.3.256', '1.2.3.4.5', ':::', '1::2::3', '1:2:3:4:5:6:7', 'g::', 'example.com'])(
  '%j is no address',
  (text) => {
    expect(parseIp(text)).toBeUndefined();
  },
);

test.each(['::ffff:192.0.2.1', '[::ffff:c000:201]', '192.0.2.1'])('%s is IPv4', (text) => {
  expect(parseIp(text)).toEqual({ family: 4, value: 0xc0_00_02_01n });
});

test.each(['1.2.3.4/33', '::/129', '1.2.3.4/x', '1.2.3.4/8/8', '/8'])('%s is no prefix', (text) => {
  expect(parsePrefix(text)).toBeUndefined();
});

test('an address is written and read the same', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const ip = parseIp(text);
      expect(ip).toBeDefined();
      const url = text.includes(':') ? new URL(`http://[${text}]`).hostname : text;
      expect(parseIp(url)).toEqual(ip);
    }),
  );
});

test('a set has what one of its ranges has', () => {
  const prefix = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, size]) => `${ip}/${size}`);
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 20 }), fc.ipV4(), (prefixes, text) => {
      const ranges = prefixes.map((one) => parsePrefix(one)!);
      const ip = parseIp(text)!;
      const expected = ranges.some(({ from, to }) => from <= ip.value && ip.value <= to);
      expect(createIpSet(ranges)(ip)).toBe(expected);
    }),
  );
});

test.each([
  ['10.0.0.1', true],
  ['172.31.255.255', true],
  ['172.32.0.0', false],
  ['100.64.0.1', false],
  ['::1', true],
  ['fe80::1', true],
  ['2001:db8::1', false],
])('%s private: %s', (text, isPrivate) => {
  expect(isPrivateIp(parseIp(text)!)).toBe(isPrivate);
});
