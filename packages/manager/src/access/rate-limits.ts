import ipaddr from 'ipaddr.js';
import { ProblemError } from '@sbox/core';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Requests a minute. */
export interface RateLimitSettings {
  /** By address: requests without credentials, and failed ones. */
  readonly anonymous: number;
  /** By token. */
  readonly token: number;
  /** By server: one address may be a whole fleet behind a NAT. */
  readonly agent: number;
  /** By address, loopback excepted. */
  readonly enrol: number;
}

export const defaultRateLimits: RateLimitSettings = { anonymous: 100, token: 600, agent: 600, enrol: 10 };

export interface RateLimits {
  /** @throws ProblemError `request.rate-limited` with `retry_after_s` */
  consume(limit: keyof RateLimitSettings, key: string): Promise<void>;
}

/** Counts in memory, per process, in windows of a minute. */
export function createRateLimits(settings: RateLimitSettings): RateLimits {
  const limiters = new Map(
    Object.entries(settings).map(([keyPrefix, points]: [string, number]) => [
      keyPrefix,
      new RateLimiterMemory({ keyPrefix, points, duration: 60 }),
    ]),
  );
  return {
    async consume(limit, key) {
      try {
        await limiters.get(limit)?.consume(key);
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        throw new ProblemError('request.rate-limited', `more than ${settings[limit]} requests in a minute`, {
          details: { limit: settings[limit], retry_after_s: Math.ceil(error.msBeforeNext / 1000) },
        });
      }
    },
  };
}

/** One subscriber: an IPv4 address, or the /64 that an IPv6 host can choose its addresses from. */
export function addressKey(remoteAddress: string): string {
  if (!ipaddr.isValid(remoteAddress)) return remoteAddress;
  const address = ipaddr.process(remoteAddress);
  if (address.kind() === 'ipv4') return address.toString();
  return `${(address as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

/** A request over a Unix socket has no address; it comes from this machine too. */
export const isLoopback = (remoteAddress: string): boolean =>
  !ipaddr.isValid(remoteAddress) || ipaddr.process(remoteAddress).range() === 'loopback';
