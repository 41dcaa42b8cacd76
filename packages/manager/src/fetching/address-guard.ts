import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { ProblemError } from '@sbox/core';

/** Decides which addresses the manager may connect to when somebody else names them (SSRF). */
export interface AddressGuard {
  /**
   * Refuses what can be refused without a look-up: another scheme than http and https, a port of another service, an
   * IP literal that is not allowed. @throws ProblemError `fetch.blocked`
   */
  checkUrl(url: URL): void;
  /** Refuses a host when any of its addresses is not allowed at this port. @throws ProblemError `fetch.blocked` */
  checkAddresses(host: string, addresses: readonly string[], port: number): void;
}

/** Where the manager itself listens; no setting opens that. */
export interface OwnDoors {
  readonly ports: ReadonlySet<number>;
  /** Addresses of this machine besides loopback. */
  readonly addresses: () => readonly string[];
}

export const addressesOfMachine = (): string[] =>
  Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address));

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

/** Cloud metadata services answer here, so no setting opens them. */
const never = ['169.254.0.0/16', 'fe80::/10'].map((cidr) => ipaddr.parseCIDR(cidr));
/** The only part of IPv6 that is handed out; everything outside embeds IPv4 or stays inside a network. */
const globalUnicast = ipaddr.parseCIDR('2000::/3');

/**
 * Public addresses, plus the networks of `allow`.
 * @throws ProblemError `settings.invalid` when an entry of `allow` is no CIDR
 */
export function createAddressGuard(allow: readonly string[], own: OwnDoors = noDoors): AddressGuard {
  const allowed = allow.map(parseNetwork);

  const isAllowed = (text: string): boolean => {
    const address = parseAddress(text);
    if (!address || isInside(address, never)) return false;
    if (isInside(address, allowed)) return true;
    return address.range() === 'unicast' && (address.kind() === 'ipv4' || isInside(address, [globalUnicast]));
  };

  const isOwn = (text: string): boolean => {
    const address = parseAddress(text);
    if (!address || address.range() === 'loopback' || address.range() === 'unspecified') return true;
    return own.addresses().some((mine) => parseAddress(mine)?.toString() === address.toString());
  };

  const checkAddresses: AddressGuard['checkAddresses'] = (host, addresses, port) => {
    if (own.ports.has(port) && addresses.some(isOwn)) throw blocked(host, 'it is this manager');
    if (addresses.length > 0 && addresses.every(isAllowed)) return;
    throw blocked(host, 'it leads to an address that is not public');
  };

  return {
    checkAddresses,
    checkUrl(url) {
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw blocked(url.hostname, 'only http and https are');
      const port = portOf(url.protocol, url.port);
      if (port !== 80 && port !== 443 && port < 1024) throw blocked(url.hostname, `port ${port} is of another service`);
      const literal = url.hostname.replace(/^\[|\]$/g, '');
      if (ipaddr.isValid(literal)) checkAddresses(literal, [literal], port);
    },
  };
}

const noDoors: OwnDoors = { ports: new Set(), addresses: () => [] };

export const portOf = (protocol: string, port: string): number => Number(port || (protocol === 'https:' ? 443 : 80));

const blocked = (host: string, why: string): ProblemError =>
  new ProblemError('fetch.blocked', `${host} may not be fetched: ${why}`, { details: { host } });

function parseNetwork(text: string): Network {
  try {
    return ipaddr.parseCIDR(text);
  } catch (error) {
    throw new ProblemError('settings.invalid', `fetch.allow: ${text} is no network such as 10.0.0.0/8`, {
      cause: error,
      details: { key: 'fetch.allow' },
    });
  }
}

/** An IPv4 address that is mapped into IPv6 (`::ffff:`) is what it means. */
const parseAddress = (text: string): Address | undefined => (ipaddr.isValid(text) ? ipaddr.process(text) : undefined);

const isInside = (address: Address, networks: readonly Network[]): boolean =>
  networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
