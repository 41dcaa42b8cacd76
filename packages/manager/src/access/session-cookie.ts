import { ProblemError } from '@sbox/core';
import type { GuardedRequest } from '@sbox/daemon/serve';
import { isTrustedProxy } from '../forwarded.ts';
import { isLoopback } from './rate-limits.ts';

/** What is asked of a request before a cookie is believed or given. */
export type CookieRequest = Pick<GuardedRequest, 'headers' | 'remoteAddress' | 'connection'>;

/** Browsers keep it to this host, to https and to the whole path by its very name (RFC 6265bis, 4.1.3.2). */
const secureName = '__Host-sbox';
/** The other name cannot be set over plain HTTP; this one is taken on loopback only. */
const loopbackName = 'sbox-dev';

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Scheme and host that the caller asked for, as the connection or a trusted proxy tells it. */
export function ownOrigin({ headers, connection }: CookieRequest, proxies: readonly string[]): string {
  const isForwarded = connection !== undefined && isTrustedProxy(connection.address, proxies);
  const told = (name: string): string | undefined =>
    isForwarded ? headers[name]?.split(',').at(-1)?.trim() : undefined;
  const scheme = told('x-forwarded-proto') ?? (connection?.isEncrypted === true ? 'https' : 'http');
  const origin = `${scheme}://${told('x-forwarded-host') ?? headers['host'] ?? ''}`;
  // As browsers write it: in small letters, without the port that the scheme has anyway.
  return URL.canParse(origin) ? new URL(origin).origin : origin;
}

/** The name under which this request may carry a session; undefined where plain HTTP could be listened to. */
function cookieName(request: CookieRequest, proxies: readonly string[], purpose: Purpose): string | undefined {
  if (ownOrigin(request, proxies).startsWith('https://')) return `${secureName}${suffixes[purpose]}`;
  const isLocal = isLoopback(request.remoteAddress) && loopbackHost.test(request.headers['host'] ?? '');
  return isLocal ? `${loopbackName}${suffixes[purpose]}` : undefined;
}

/** What a cookie of ours is for: a session, or a login by an identity provider that is under way. */
type Purpose = 'session' | 'oidc';
const suffixes: Readonly<Record<Purpose, string>> = { session: '', oidc: '-oidc' };

/** The secret of the session that a request carries, or what another cookie of ours holds. */
export function readSessionCookie(
  request: CookieRequest,
  proxies: readonly string[],
  purpose: Purpose = 'session',
): string | undefined {
  const name = cookieName(request, proxies, purpose);
  const pairs = (request.headers['cookie'] ?? '').split(';', 64).map((pair) => pair.trim());
  const found = name === undefined ? undefined : pairs.find((pair) => pair.startsWith(`${name}=`));
  return found?.slice(found.indexOf('=') + 1);
}

/** @throws ProblemError `auth.insecure` where the cookie could be listened to */
export function sessionCookie(
  request: CookieRequest,
  proxies: readonly string[],
  secret: string,
  maxAgeS: number,
): string {
  return makeCookie(request, proxies, 'session', { value: secret, maxAgeS });
}

/** @throws ProblemError `auth.insecure` where the cookie could be listened to */
export function makeCookie(
  request: CookieRequest,
  proxies: readonly string[],
  purpose: Purpose,
  { value, maxAgeS }: { readonly value: string; readonly maxAgeS: number },
): string {
  const name = cookieName(request, proxies, purpose);
  if (name === undefined) throw new ProblemError('auth.insecure', 'the request came over plain HTTP');
  const secure = name.startsWith(secureName) ? '; Secure' : '';
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeS}${secure}`;
}

/** Makes the browser forget it. */
export const endedCookie = (request: CookieRequest, proxies: readonly string[]): string =>
  sessionCookie(request, proxies, '', 0);

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Keeps pages of other sites from using the session of who looks at them. A browser names its page in Origin with every
 * method that changes something; where it does not, Sec-Fetch-Site says as much.
 * @throws ProblemError `auth.foreign-origin`
 */
export function refuseForeignOrigin(
  request: CookieRequest & { readonly method: string },
  proxies: readonly string[],
): void {
  if (safeMethods.has(request.method)) return;
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined ? site === 'same-origin' : origin === ownOrigin(request, proxies)) return;
  throw new ProblemError('auth.foreign-origin', `a session is asked to change something from ${origin ?? 'nowhere'}`);
}

/** A login has no session to misuse yet, and programs have no page: only a page of another site is refused. */
export function refuseForeignLogin(request: CookieRequest, proxies: readonly string[]): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined || (site !== undefined && site !== 'none'))
    refuseForeignOrigin({ ...request, method: 'POST' }, proxies);
}
