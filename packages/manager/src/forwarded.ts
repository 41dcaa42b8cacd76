import type { Guard } from '@sbox/daemon/serve';
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
  const isProxy = (address: string): boolean =>
    ipaddr.isValid(address) && proxies.some((network) => isWithin(ipaddr.process(address), network));
  let client = remoteAddress;
  for (const hop of (forwarded ?? '').split(',').slice(-16).toReversed()) {
    if (!isProxy(client)) break;
    const address = hop.trim();
    if (!ipaddr.isValid(address)) break;
    client = address;
  }
  return client;
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, network: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(network);
  return address.kind() === base.kind() && address.match(base, bits);
}

/** The guard, for requests that come through proxies. */
export const behindProxies =
  (guard: Guard, proxies: readonly string[]): Guard =>
  async (route, request) =>
    await guard(
      route,
      proxies.length === 0
        ? request
        : {
            ...request,
            remoteAddress: clientAddress(request.remoteAddress, request.headers['x-forwarded-for'], proxies),
          },
    );
