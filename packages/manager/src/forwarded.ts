import type { AddressOf } from '@sbox/daemon/serve';
import ipaddr from 'ipaddr.js';

/**
 * The address behind proxies: the last one of X-Forwarded-For that is no trusted proxy itself. What stands before it was
 * written by the caller and means nothing.
 */
export function clientAddress(
  remoteAddress: string,
  forwarded: string | undefined,
  proxies: readonly string[],
): string {
  let client = remoteAddress;
  for (const hop of (forwarded ?? '').split(',').slice(-16).toReversed()) {
    if (!isTrustedProxy(client, proxies)) break;
    const address = hop.trim();
    if (!ipaddr.isValid(address)) break;
    client = address;
  }
  return client;
}

export const isTrustedProxy = (address: string, proxies: readonly string[]): boolean =>
  ipaddr.isValid(address) && proxies.some((network) => isWithin(ipaddr.process(address), network));

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  return address.kind() === base.kind() && address.match(base, bits);
}

/** Who asks, for requests that come through proxies. */
export const behindProxies =
  (proxies: readonly string[]): AddressOf =>
  (remoteAddress, headers) =>
    proxies.length === 0 ? remoteAddress : clientAddress(remoteAddress, headers['x-forwarded-for'], proxies);
