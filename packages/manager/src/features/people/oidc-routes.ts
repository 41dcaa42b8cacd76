import { ProblemError } from '@sbox/core';
import { textPage, type Handlers } from '@sbox/daemon/serve';
import type { OperatorContract, singleSignOn } from '@sbox/protocol';
import {
  makeCookie,
  ownOrigin,
  readSessionCookie,
  sessionCookie,
  type CookieRequest,
} from '../../access/session-cookie.ts';
import { sessionMs } from '../../access/sessions.ts';
import { beginMs, type Ended, type OidcLogin } from './oidc-login.ts';
import { describeOpened } from './people-routes.ts';

export interface OidcRoutesDeps {
  /** Undefined where no provider is set up. */
  readonly oidc: OidcLogin | undefined;
  readonly trustedProxies: readonly string[];
}

const base = '/api/v1/session/oidc';
const seconds = (ms: number): number => Math.floor(ms / 1000);

/** What browsers are led through. */
export function createOidcRoutes({ oidc, trustedProxies }: OidcRoutesDeps): Handlers<typeof singleSignOn> {
  const need = (): OidcLogin => {
    if (oidc) return oidc;
    throw new ProblemError('oidc.off', 'no identity provider is set up');
  };
  const cookie = (request: CookieRequest, value: string): string =>
    makeCookie(request, trustedProxies, 'oidc', { value, maxAgeS: value === '' ? 0 : seconds(beginMs) });
  return {
    async start({ query: { return_to, fresh, challenge, port } }, { request, setHeader }) {
      const login = need();
      // Before the provider is asked: where no cookie can be given nobody could come back.
      cookie(request, '');
      const redirectUri = `${ownOrigin(request, trustedProxies)}${base}/callback`;
      const returnTo = ownPath(return_to);
      const { location, sealed } = await login.begin({ redirectUri, returnTo, fresh, challenge, port });
      setHeader('set-cookie', cookie(request, sealed));
      return { location };
    },
    async finish({ query }, { request, setHeader }) {
      const login = need();
      const sealed = readSessionCookie(request, trustedProxies, 'oidc');
      const oldSession = readSessionCookie(request, trustedProxies);
      setHeader('set-cookie', cookie(request, ''));
      const place = { remoteAddress: request.remoteAddress, userAgent: request.headers['user-agent'] ?? '' };
      const ended = await login.finish({ sealed, query: parametersOf(query), oldSession }, place);
      if (ended.kind === 'code') return handOver(ended);
      setHeader('set-cookie', sessionCookie(request, trustedProxies, ended.opened.secret, seconds(sessionMs)));
      return { location: ended.returnTo };
    },
    async redeem({ body: { code, verifier } }) {
      const opened = await need().redeem(code, verifier);
      return { ...describeOpened('token', opened), token: opened.secret };
    },
  };
}

/** What programs and pages ask before they offer it. */
export const createOidcQuestion =
  ({ oidc, trustedProxies }: OidcRoutesDeps): Handlers<OperatorContract['session']>['oidc'] =>
  async (_, { request }) => {
    const nothing = { enabled: false, name: null, start: null, logout: null };
    const told = oidc?.describe(`${ownOrigin(request, trustedProxies)}/`);
    return await Promise.resolve(told ? { enabled: true, start: `${base}/start`, ...told } : nothing);
  };

/** A program that listens on the machine of the browser gets the code there; another one has it typed. */
function handOver({ code, port }: Extract<Ended, { kind: 'code' }>) {
  if (port !== undefined) return { location: `http://127.0.0.1:${port}/?code=${code}` };
  const page = textPage('You are logged in', [
    'Paste this code where you typed “sboxmgr login --oidc”, within two minutes:',
    code,
    'Give it to nobody: if you did not type that yourself, somebody else wants to log in as you. Then close this page.',
  ]);
  return { page };
}

/** Each value once: a doubled parameter is left to the library, which refuses it. */
const parametersOf = (query: Readonly<Record<string, unknown>>): URLSearchParams =>
  new URLSearchParams(
    Object.entries(query).flatMap(([name, value]) =>
      [value].flat().flatMap((one): [string, string][] => (typeof one === 'string' ? [[name, one]] : [])),
    ),
  );

const elsewhere = 'http://own.invalid';

/** A path of the manager itself: nobody is led from a login to another site. @throws ProblemError `request.invalid` */
export function ownPath(path = '/docs'): string {
  const url = /^\/(?![/\\])[\x21-\x7e]*$/.test(path) ? URL.parse(path, elsewhere) : null;
  if (url?.origin === elsewhere && !url.pathname.startsWith('//')) return `${url.pathname}${url.search}${url.hash}`;
  throw new ProblemError('request.invalid', 'query return_to: must be a path of the manager, as /docs');
}
