import ipaddr from 'ipaddr.js';
import { ProblemError } from '@sbox/core';
import type { Allowance } from '@sbox/daemon/serve';
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
  /** By address: passwords typed, right or wrong. */
  readonly login: number;
  /** By address: what clients ask for, with a good link or without. */
  readonly sub: number;
}

export const defaultRateLimits: RateLimitSettings = {
  anonymous: 100,
  token: 600,
  agent: 600,
  enrol: 10,
  login: 10,
  sub: 120,
};

export interface RateLimits {
  /** What is left. @throws ProblemError `request.rate-limited` with `retry_after_s` */
  consume(limit: keyof RateLimitSettings, key: string): Promise<Allowance>;
}

const windowS = 60;

/**
 * Counts in windows of a minute, in memory: a manager is one process on its data, so that no store has to be asked, or
 * can be away. Several managers on one database will count there, with this as what they fall back to.
 */
export function createRateLimits(settings: RateLimitSettings): RateLimits {
  const limiters = new Map(
    Object.entries(settings).map(([keyPrefix, points]: [string, number]) => [
      keyPrefix,
      new RateLimiterMemory({ keyPrefix, points, duration: windowS }),
    ]),
  );
  return {
    async consume(policy, key) {
      const quota = settings[policy];
      try {
        const left = await limiters.get(policy)?.consume(key);
        if (!left) throw new Error(`no limiter for ${policy}`);
        return { policy, quota, windowS, remaining: left.remainingPoints, resetS: secondsOf(left) };
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        throw new ProblemError('request.rate-limited', `more than ${quota} requests in a minute`, {
          details: { policy, limit: quota, window_s: windowS, retry_after_s: secondsOf(error) },
        });
      }
    },
  };
}

const secondsOf = ({ msBeforeNext }: RateLimiterRes): number => Math.ceil(msBeforeNext / 1000);

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
