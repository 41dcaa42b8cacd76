import { asRecord, recordsIn, tagOf, type Json } from '../document.ts';

/** Inbounds that take what programs send elsewhere: who has them, has the machine's traffic. */
const capturing = new Set(['tun', 'tproxy', 'redirect', 'cloudflared']);

/** Outbounds that hold an interface, a directory or an account. */
const holding = new Set(['wireguard', 'tailscale', 'bridge', 'tor']);

/** Inbounds whose only socket is a TCP one, so that two engines may listen side by side. */
const tcpOnly = new Set(['mixed', 'socks', 'http', 'vmess', 'vless', 'trojan', 'anytls', 'shadowtls']);

/**
 * What of a configuration only one process can have at a time, each in words; an empty list means that a second engine may
 * run beside the first, given ports, a control API and a cache of its own.
 * @param once tags of nodes that may be open only once, as a manifest names them
 */
export function findUnshared(config: Json, once: readonly string[]): string[] {
  const onceTags = new Set(once);
  const isOnce = (item: Json): boolean => holding.has(String(item['type'])) || onceTags.has(String(item['tag']));
  const experimental = asRecord(config['experimental']);
  return [
    ...named('inbound', config['inbounds'], (item) => capturing.has(String(item['type']))),
    ...named('endpoint', config['endpoints'], () => true),
    ...named('outbound', config['outbounds'], isOnce),
    ...named('service', config['services'], () => true),
    // Both would ask for certificates, and who issues them counts.
    ...named('certificate provider', config['certificate_providers'], ({ type }) => type === 'acme'),
    ...named('inbound', config['inbounds'], ({ tls }) => 'acme' in asRecord(tls)),
    // Addresses that one engine gave out mean nothing to another.
    ...named('DNS server', asRecord(config['dns'])['servers'], ({ type }) => type === 'fakeip'),
    ...(asRecord(asRecord(config['dns'])['fakeip'])['enabled'] === true ? ['dns.fakeip'] : []),
    ...['v2ray_api', 'debug'].flatMap((key) =>
      typeof asRecord(experimental[key])['listen'] === 'string' ? [`experimental.${key}`] : [],
    ),
  ];
}

const named = (what: string, list: unknown, fits: (item: Json) => boolean): string[] =>
  recordsIn(list).flatMap((item, index) =>
    fits(item) ? [`${what} "${tagOf(item, index)}" (${String(item['type'])})`] : [],
  );

/** Whether two engines may listen on this inbound's port: never with UDP, where packets of one client would scatter. */
export const canShareAddress = (inbound: Json): boolean =>
  tcpOnly.has(String(inbound['type'])) && asRecord(inbound['transport'])['type'] !== 'quic';
