import { expect, test } from '@jest/globals';
import { addressOfRow, covers, isInTheWay } from './addresses.ts';

test.each([
  ['0100007F', 'LE', '127.0.0.1'],
  ['7F000001', 'BE', '127.0.0.1'],
  ['00000000', 'LE', '0.0.0.0'],
  ['00000000000000000000000000000000', 'LE', '::'],
  ['00000000000000000000000001000000', 'LE', '::1'],
  ['B80D0120000000000000000001000000', 'LE', '2001:db8::1'],
  ['0000000000000000FFFF00000100007F', 'LE', '127.0.0.1'],
  ['', 'LE', undefined],
] as const)('%s (%s) is %s', (hex, order, address) => {
  expect(addressOfRow(hex, order)).toBe(address);
});

test.each([
  ['127.0.0.1', '127.0.0.1', true, true],
  ['127.0.0.1', '::ffff:127.0.0.1', true, true],
  ['2001:db8::1', '[2001:0DB8:0::1]', true, true],
  ['fe80::1', 'fe80::1%eth0', true, true],
  ['0.0.0.0', '127.0.0.1', true, true],
  ['::', '0.0.0.0', true, true],
  ['127.0.0.1', '127.0.0.2', false, false],
  ['127.0.0.1', '0.0.0.0', false, true],
  ['127.0.0.1', '', true, true],
  [undefined, '127.0.0.1', true, true],
])('a socket on %s and %s: takes it %s, is in its way %s', (socket, wanted, isCovered, isBusy) => {
  expect([covers(socket, wanted), isInTheWay(socket, wanted)]).toEqual([isCovered, isBusy]);
});
