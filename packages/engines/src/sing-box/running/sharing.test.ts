import { expect, test } from '@jest/globals';
import { canShareAddress, findUnshared } from './sharing.ts';

test('a plain configuration may run twice', () => {
  const config = {
    inbounds: [
      { type: 'mixed', tag: 'in', listen_port: 2080 },
      { type: 'hysteria2', tag: 'hy2', listen_port: 443 },
    ],
    outbounds: [{ type: 'direct', tag: 'out' }],
    experimental: { cache_file: { enabled: true } },
  };
  expect(findUnshared(config, ['not-there'])).toEqual([]);
});

test.each([
  [{ inbounds: [{ type: 'tun', tag: 'tun-in' }] }, 'inbound "tun-in" (tun)'],
  [{ inbounds: [{ type: 'tproxy', listen_port: 1 }] }, 'inbound "0" (tproxy)'],
  [{ inbounds: [{ type: 'trojan', tag: 't', tls: { acme: { domain: ['a'] } } }] }, 'inbound "t" (trojan)'],
  [{ endpoints: [{ type: 'wireguard', tag: 'wg' }] }, 'endpoint "wg" (wireguard)'],
  [{ outbounds: [{ type: 'vless', tag: 'paid' }] }, 'outbound "paid" (vless)'],
  [{ outbounds: [{ type: 'wireguard', tag: 'wg' }] }, 'outbound "wg" (wireguard)'],
  [{ services: [{ type: 'ssm-api', tag: 'users' }] }, 'service "users" (ssm-api)'],
  [{ dns: { servers: [{ type: 'fakeip', tag: 'fake' }] } }, 'DNS server "fake" (fakeip)'],
  [{ dns: { fakeip: { enabled: true } } }, 'dns.fakeip'],
  [{ experimental: { v2ray_api: { listen: '127.0.0.1:8080' } } }, 'experimental.v2ray_api'],
])('%j: %s', (config, words) => expect(findUnshared(config, ['paid'])).toEqual([words]));

test.each([
  [{ type: 'vless' }, true],
  [{ type: 'vmess', transport: { type: 'quic' } }, false],
  [{ type: 'shadowsocks' }, false],
  [{ type: 'hysteria2' }, false],
])('two engines on the port of %j: %s', (inbound, expected) => expect(canShareAddress(inbound)).toBe(expected));
