import { expect, test } from '@jest/globals';
import { behindProxies, clientAddress } from './forwarded.ts';

const proxies = ['10.0.0.0/8', 'fd00::/8'];

test.each([
  ['without proxies the caller is the caller', '192.0.2.1', '203.0.113.9', '192.0.2.1'],
  ['a proxy tells who asked it', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  [
    'only the last stranger counts: what is before was written by the caller',
    '10.0.0.1',
    '1.1.1.1, 203.0.113.9',
    '203.0.113.9',
  ],
  ['proxies may stand behind each other', '10.0.0.1', '203.0.113.9, 10.0.0.2', '203.0.113.9'],
  ['of IPv6 too', 'fd00::1', '2001:db8::7', '2001:db8::7'],
  ['an IPv4 proxy may be written as IPv6', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['nonsense is not an address', '10.0.0.1', 'unknown', '10.0.0.1'],
  ['a proxy that says nothing is the caller', '10.0.0.1', undefined, '10.0.0.1'],
])('%s', (_name, remote, forwarded, expected) => {
  expect(clientAddress(remote, forwarded, proxies)).toBe(expected);
});

test('nobody is believed when no proxy is trusted', () => {
  expect(clientAddress('10.0.0.1', '203.0.113.9', [])).toBe('10.0.0.1');
});

test('X-Forwarded-For is read from the headers of a request', () => {
  const headers = { 'x-forwarded-for': '203.0.113.9' };
  expect(behindProxies(proxies)('10.0.0.1', headers)).toBe('203.0.113.9');
  expect(behindProxies(proxies)('192.0.2.1', headers)).toBe('192.0.2.1');
  expect(behindProxies([])('10.0.0.1', headers)).toBe('10.0.0.1');
});
