import { describe, expect, test } from '@jest/globals';
import type { ProblemError } from '@sbox/core';
import {
  ownOrigin,
  readSessionCookie,
  refuseForeignOrigin,
  sessionCookie,
  type CookieRequest,
} from './session-cookie.ts';

interface Told {
  readonly headers?: Record<string, string>;
  readonly from?: string;
  readonly client?: string;
  readonly tls?: boolean;
}

const request = ({ headers = {}, from = '127.0.0.1', client = from, tls = false }: Told): CookieRequest => ({
  headers: { host: '127.0.0.1:4780', ...headers },
  remoteAddress: client,
  connection: { address: from, isEncrypted: tls },
});
const proxies = ['10.0.0.0/8'];
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as ProblemError).code;
  }
  return 'none';
};

describe('the origin of a request', () => {
  test('is that of the connection, or what a trusted proxy tells, and of nobody else', () => {
    const forwarded = { host: 'inside:4780', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'sbox.example' };
    expect(ownOrigin(request({}), proxies)).toBe('http://127.0.0.1:4780');
    expect(ownOrigin(request({ tls: true, headers: { host: 'Sbox.Example:443' } }), proxies)).toBe(
      'https://sbox.example',
    );
    expect(ownOrigin(request({ headers: forwarded, from: '10.1.2.3', client: '192.0.2.1' }), proxies)).toBe(
      'https://sbox.example',
    );
    expect(ownOrigin(request({ headers: forwarded, from: '192.0.2.1' }), proxies)).toBe('http://inside:4780');
    // What the caller wrote stands before what the proxy adds.
    const chained = { ...forwarded, 'x-forwarded-host': 'evil.example, sbox.example' };
    expect(ownOrigin(request({ headers: chained, from: '10.1.2.3' }), proxies)).toBe('https://sbox.example');
  });
});

describe('the cookie of a session', () => {
  test('has a name that browsers protect wherever there is TLS, and another one on loopback only', () => {
    const secure = request({ tls: true, from: '192.0.2.1', headers: { host: 'sbox.example' } });
    expect(sessionCookie(secure, [], 's', 60)).toBe(
      '__Host-sbox=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure',
    );
    expect(sessionCookie(request({}), [], 's', 60)).toBe('sbox-dev=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60');
    const open = [
      request({ from: '192.0.2.1', headers: { host: 'sbox.example' } }),
      // A proxy on this machine that nobody trusts, and a name that is not this machine's.
      request({ headers: { host: 'sbox.example' } }),
      request({ from: '192.0.2.1' }),
    ];
    for (const one of open) expect(codeOf(() => sessionCookie(one, [], 's', 60))).toBe('auth.insecure');
  });

  test('is read under the name that fits the connection, and no other', () => {
    const cookie = 'a=b; sbox-dev=plain; __Host-sbox=secure;';
    expect(readSessionCookie(request({ headers: { cookie } }), [])).toBe('plain');
    expect(readSessionCookie(request({ headers: { cookie }, tls: true }), [])).toBe('secure');
    expect(readSessionCookie(request({ headers: { cookie, host: 'sbox.example' } }), [])).toBeUndefined();
    expect(readSessionCookie(request({ headers: { cookie: 'sbox-development=x' } }), [])).toBeUndefined();
    expect(readSessionCookie(request({}), [])).toBeUndefined();
  });
});

test('reading needs no origin; every other method does', () => {
  const of = (method: string) => codeOf(() => refuseForeignOrigin({ ...request({}), method }, []));
  expect(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(of)).toEqual([
    'none',
    'none',
    ...Array<string>(5).fill('auth.foreign-origin'),
  ]);
});
