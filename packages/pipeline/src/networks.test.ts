import { expect, test } from '@jest/globals';
import { addressBytes, isAddress, networkTest, readNetwork, type Network } from './networks.ts';

test.each([
  ['192.0.2.1', true],
  ['::', true],
  ['::1', true],
  ['1::', true],
  ['2001:db8::192.0.2.1', true],
  ['1:2:3:4:5:6:7:8', true],
  ['1:2:3:4:5:6:7::', true],
  ['1:2:3:4:5:6:7', false],
  ['1:2:3:4:5:6:7:8:9', false],
  ['1:2:3:4:5:6:7:8::', false],
  ['1::2::3', false],
  ['12345::', false],
  ['256.0.0.1', false],
  ['1.2.3', false],
  ['1.2.3.4.5', false],
  [':', false],
  ['', false],
  ['example.net', false],
])('%s is an address: %s', (text, is) => {
  expect(isAddress(text)).toBe(is);
});

test('bytes', () => {
  expect(addressBytes('10.1.2.3')).toEqual([10, 1, 2, 3]);
  expect(addressBytes('2001:db8::a.b')).toBeUndefined();
  expect(addressBytes('fe80::1')).toEqual([0xfe, 0x80, ...Array.from({ length: 13 }, () => 0), 1]);
});

test.each([
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['192.0.2.128/25', '192.0.2.127', false],
  ['192.0.2.128/25', '192.0.2.200', true],
  ['0.0.0.0/0', '8.8.8.8', true],
  ['0.0.0.0/0', '::1', false],
  ['192.0.2.1/32', '192.0.2.1', true],
  ['192.0.2.1/32', '192.0.2.2', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/33', '2001:db8:8000::1', false],
  ['10.0.0.0/8', 'example.net', false],
])('%s has %s: %s', (network, address, is) => {
  expect(networkTest([readNetwork(network) as Network])(address)).toBe(is);
});

test.each(['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '::/129', '10.0.0/8', '10.0.0.0/8/8', '10.0.0.0/-1'])(
  '%s is no network',
  (text) => {
    expect(readNetwork(text)).toBeUndefined();
  },
);

test('an address is sought among all networks at once', () => {
  const networks = ['10.0.0.0/8', '192.0.2.0/25', '192.0.2.240/28', '2001:db8::/32'].flatMap(
    (text) => readNetwork(text) ?? [],
  );
  const isIn = networkTest(networks);
  expect(['10.1.1.1', '192.0.2.1', '192.0.2.250', '2001:db8::1'].every(isIn)).toBe(true);
  expect(['11.1.1.1', '192.0.2.129', '2001:db9::1', ''].some(isIn)).toBe(false);
  expect(networkTest([])('10.1.1.1')).toBe(false);
});
