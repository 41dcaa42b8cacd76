import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { createAddressGuard } from './address-guard.ts';

const guard = createAddressGuard([]);
const refusal = (run: () => void): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};
const urlRefusal = (url: string, allow: readonly string[] = []): string | undefined =>
  refusal(() => createAddressGuard(allow).checkUrl(new URL(url)));
const addressRefusal = (addresses: readonly string[], allow: readonly string[] = []): string | undefined =>
  refusal(() => createAddressGuard(allow).checkAddresses('host.test', addresses, 443));

describe('forms of addresses that stay inside', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.0.0.1/',
    'http://017700000001/',
    'http://0177.0.0.1/',
    'http://127.0.0.1./',
    'http://①②⑦.⓪.⓪.①/',
    'http://user:pass@127.0.0.1/',
    'http://0/',
    'http://0.0.0.0/',
    'http://0.1.2.3/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::]/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::127.0.0.1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:0:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001::1]/',
    'http://[2001:db8::1]/',
    'http://[fe80::1]/',
    'http://[fc00::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
    'http://[100::1]/',
    'http://[5f00::1]/',
  ])('%s is refused', (url) => {
    expect(urlRefusal(url)).toBe('fetch.blocked');
  });
});

test.each([
  'http://93.184.216.34/',
  'https://[2606:4700::1111]/',
  'http://[::ffff:93.184.216.34]/',
  'https://example.test:8443/sub',
])('%s is allowed', (url) => {
  expect(urlRefusal(url)).toBeUndefined();
});

test.each([
  'ftp://example.test/',
  'file:///etc/passwd',
  'data:,x',
  'http://example.test:22/',
  'https://example.test:25/',
])('%s is refused for its scheme or port', (url) => {
  expect(urlRefusal(url)).toBe('fetch.blocked');
});

test('an allowed network is open, in its mapped form too', () => {
  expect(urlRefusal('http://127.0.0.1:9000/', ['127.0.0.0/8'])).toBeUndefined();
  expect(addressRefusal(['::ffff:127.0.0.1'], ['127.0.0.0/8'])).toBeUndefined();
  expect(addressRefusal(['fd00::1'], ['fd00::/8'])).toBeUndefined();
  expect(addressRefusal(['10.0.0.1'], ['127.0.0.0/8'])).toBe('fetch.blocked');
});

test('link-local stays closed whatever the settings say', () => {
  const everything = ['0.0.0.0/0', '::/0'];
  expect(addressRefusal(['10.0.0.1', '::1'], everything)).toBeUndefined();
  for (const address of ['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1'])
    expect(addressRefusal([address], everything)).toBe('fetch.blocked');
});

test('the own listeners stay closed whatever the settings say', () => {
  const own = { ports: new Set([4780]), addresses: () => ['192.0.2.7', '2001:db8::7', 'fe80::1%eth0'] };
  const strict = createAddressGuard(['0.0.0.0/0', '::/0'], own);
  const at = (host: string, port: number) => refusal(() => strict.checkUrl(new URL(`http://${host}:${port}/`)));
  for (const host of ['127.0.0.1', '127.9.9.9', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '192.0.2.7', '[2001:db8::7]'])
    expect([host, at(host, 4780), at(host, 4779)]).toEqual([host, 'fetch.blocked', undefined]);
  expect(at('192.0.2.8', 4780)).toBeUndefined();
});

test('one private address among public ones refuses the host, and so does no address', () => {
  expect(addressRefusal(['93.184.216.34', '10.0.0.1'])).toBe('fetch.blocked');
  expect(addressRefusal([])).toBe('fetch.blocked');
  expect(addressRefusal(['no address'])).toBe('fetch.blocked');
});

test('a network that is none is named', () => {
  expect(() => createAddressGuard(['10.0.0.0'])).toThrow('fetch.allow: 10.0.0.0 is no network');
});

test('no way of embedding a loopback address in IPv6 is open', () => {
  fc.assert(
    fc.property(fc.nat(0xffffff), fc.constantFrom('::', '::ffff:', '64:ff9b::', '::ffff:0:'), (low, prefix) => {
      const v4 = `127.${low >> 16}.${(low >> 8) & 255}.${low & 255}`;
      expect(refusal(() => guard.checkUrl(new URL(`http://[${prefix}${v4}]/`)))).toBe('fetch.blocked');
    }),
  );
});
