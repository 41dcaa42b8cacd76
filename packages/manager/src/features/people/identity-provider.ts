import { messageOf, ProblemError, type Clock } from '@sbox/core';
import * as oidc from 'openid-client';
import type { GuardedFetch } from '../../fetching/guarded-fetch.ts';
import type { OidcSettings } from '../../settings.ts';

export interface IdentityProviderDeps {
  readonly settings: OidcSettings;
  /** Undefined for a public client. */
  readonly secret: string | undefined;
  readonly fetch: GuardedFetch['fetch'];
  readonly clock: Clock;
}

/** What binds an answer of the provider to the browser that was sent there. */
export interface Expected {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636). */
  readonly verifier: string;
  /** Whether the person has to show anew who they are. */
  readonly fresh: boolean;
}

export interface Claims {
  readonly sub: string;
  readonly [name: string]: unknown;
}

/** The provider as OpenID Connect Core 1.0 knows it, code flow with PKCE. Everything throws `oidc.unavailable`, `oidc.refused`. */
export interface IdentityProvider {
  authorizationUrl(expected: Expected): Promise<string>;
  /** Exchanges the code of an answer, given as the query that the browser brought. @returns what is proved of the person */
  redeem(query: URLSearchParams, expected: Expected): Promise<Claims>;
  /** Where a browser ends its session at the provider (RP-Initiated Logout 1.0), once the provider was asked. */
  logoutUrl(returnTo: string): string | undefined;
}

/** Signatures with a key pair; those with our secret (HS256) or without a key at all prove nothing about the provider. */
const algorithms = /^(?:RS|PS|ES)(?:256|384|512)$|^(?:EdDSA|Ed25519)$/;
/** A provider changes its addresses rarely, its keys are looked at whenever one is not known. */
const rememberMs = 3_600_000;
/** How long ago somebody may have shown who they are who was asked to do it anew. */
const freshS = 300;

export function createIdentityProvider({ settings, secret, fetch, clock }: IdentityProviderDeps): IdentityProvider {
  const ask = async (): Promise<oidc.Configuration> =>
    await oidc.discovery(
      new URL(settings.issuer),
      settings.client_id,
      {},
      secret === undefined ? oidc.None() : oidc.ClientSecretBasic(secret),
      {
        [oidc.customFetch]: async (url, init) => await fetch(url, init),
        execute: [
          // Without it the signature would not be looked at: the way to the provider counts as enough in the standard.
          oidc.enableNonRepudiationChecks,
          ...(settings.issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []),
        ],
      },
    );
  let known: { readonly asked: Promise<oidc.Configuration>; readonly untilMs: number } | undefined;
  let now: oidc.Configuration | undefined;
  const configuration = async (): Promise<oidc.Configuration> => {
    if (!known || known.untilMs <= clock.now()) known = { asked: ask(), untilMs: clock.now() + rememberMs };
    const { asked } = known;
    try {
      return (now = await asked);
    } catch (error) {
      if (known?.asked === asked) known = undefined;
      throw error;
    }
  };
  return {
    authorizationUrl: async ({ redirectUri, state, nonce, verifier, fresh }) =>
      await guarded(async () => {
        const url = oidc.buildAuthorizationUrl(await configuration(), {
          redirect_uri: redirectUri,
          scope: settings.scopes.join(' '),
          state,
          nonce,
          code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
          ...(fresh ? { prompt: 'login', max_age: String(freshS) } : {}),
        });
        return url.href;
      }),
    redeem: async (query, { redirectUri, state, nonce, verifier, fresh }) =>
      await guarded(async () => {
        const config = await configuration();
        const tokens = await oidc.authorizationCodeGrant(config, new URL(`${redirectUri}?${query.toString()}`), {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          ...(fresh ? { maxAge: freshS } : {}),
        });
        refuseWeak(tokens.id_token ?? '');
        const claims = tokens.claims();
        if (!claims) throw new ProblemError('oidc.refused', 'the provider sent no ID token');
        if (!lacks(claims, settings) || config.serverMetadata().userinfo_endpoint === undefined) return claims;
        return { ...(await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)), ...claims };
      }),
    logoutUrl: (returnTo) =>
      now?.serverMetadata().end_session_endpoint === undefined
        ? undefined
        : oidc.buildEndSessionUrl(now, { post_logout_redirect_uri: returnTo }).href,
  };
}

function refuseWeak(idToken: string): void {
  const header = JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString()) as { alg?: unknown };
  if (typeof header.alg !== 'string' || !algorithms.test(header.alg))
    throw new ProblemError('oidc.refused', `the ID token is signed by ${String(header.alg)}`);
}

/** Whether something that decides is not in the ID token: many providers tell it only when they are asked for it. */
const lacks = (claims: Claims, settings: OidcSettings): boolean =>
  [settings.name_claim, settings.role_claim?.split('.')[0], ...(settings.allowed_domains.length > 0 ? ['email'] : [])]
    .filter((name) => name !== undefined)
    .some((name) => claims[name] === undefined);

async function guarded<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toProblem(error);
  }
}

/** Codes of the library that are not about what the provider said. */
const passing: ReadonlySet<unknown> = new Set(['OAUTH_TIMEOUT', 'OAUTH_ABORT']);

function toProblem(error: unknown): ProblemError {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (at instanceof ProblemError)
      return at.code.startsWith('fetch.') ? new ProblemError('oidc.unavailable', at.message, { cause: error }) : at;
  const { code, cause, status } = error as { code?: unknown; cause?: unknown; status?: unknown };
  const answered = status ?? (cause as { status?: unknown } | undefined)?.status;
  if (passing.has(code) || (typeof answered === 'number' && answered >= 500))
    return new ProblemError('oidc.unavailable', messageOf(error), { cause: error });
  // Words of the provider come over the browser, and so from anybody: of these only what looks like a code is repeated.
  const said = (error as { error?: unknown }).error;
  if (typeof said === 'string')
    return new ProblemError(
      'oidc.refused',
      /^[a-z_]{1,64}$/.test(said) ? `the provider says ${said}` : 'the provider refuses',
      {
        cause: error,
      },
    );
  const inner = cause instanceof Error ? `: ${cause.message}` : '';
  return new ProblemError('oidc.refused', `${messageOf(error)}${inner}`, { cause: error });
}
