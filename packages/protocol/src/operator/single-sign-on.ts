import * as z from 'zod/mini';
import { flagSchema, integerSchema, named, timeSchema } from '../schema.ts';
import { route } from '../route.ts';
import { sessionSchema } from './people.ts';

const addressPath = z.string().check(z.maxLength(2048));
/** Base64url of a SHA-256. */
const challengeSchema = z.string().check(z.regex(/^[\w-]{43}$/, 'must be the SHA-256 of a verifier in base64url'));

/** What browsers are led through when people log in by an identity provider; and what a program gets afterwards. */
export const singleSignOn = {
  start: route({
    id: 'startOidc',
    method: 'get',
    path: '/api/v1/session/oidc/start',
    summary: 'Begin to log in by the identity provider: leads the browser there',
    permission: 'public',
    query: z.strictObject({
      /** Where to go afterwards; a path of the manager, `/docs` without it. */
      return_to: z.optional(addressPath),
      /** For a session that has to show once more who it is: the provider asks the person again. */
      fresh: flagSchema,
      /** Of a program: it gets a code instead of the browser getting a session. The digest of what only it knows. */
      challenge: z.optional(challengeSchema),
      /** Where on the machine of the browser the program listens for the code; the code is shown without it. */
      port: z.optional(integerSchema(1024, 65535)),
    }),
    ok: { status: 302 },
    problems: ['request.invalid', 'oidc.off', 'oidc.unavailable', 'auth.insecure'],
    example: { query: { return_to: '/docs' } },
  }),
  finish: route({
    id: 'finishOidc',
    method: 'get',
    path: '/api/v1/session/oidc/callback',
    summary: 'Where the identity provider sends the browser back to',
    permission: 'public',
    query: z.looseObject({}),
    ok: { status: 302 },
    problems: [
      'oidc.off',
      'oidc.expired',
      'oidc.refused',
      'oidc.unavailable',
      'oidc.not-admitted',
      'oidc.name-taken',
      'auth.insecure',
    ],
    example: { query: { code: 'example', state: 'example' } },
  }),
  redeem: route({
    id: 'redeemOidc',
    method: 'post',
    path: '/api/v1/session/oidc/token',
    summary: 'Exchange the code of a login for a personal token, once; only for the program that began it',
    permission: 'public',
    body: z.strictObject({
      code: z.string().check(z.maxLength(128)),
      /** What `challenge` is the digest of. */
      verifier: z.string().check(z.minLength(43), z.maxLength(128)),
    }),
    ok: {
      status: 201,
      schema: named(
        'OidcLogin',
        'A personal token that lives as long as a session at most.',
        z.extend(sessionSchema, { expires_at: timeSchema, token: z.string() }),
      ),
    },
    problems: ['request.invalid', 'request.rate-limited', 'oidc.off', 'oidc.expired', 'oidc.not-admitted'],
    example: { body: { code: 'example', verifier: 'example-verifier-of-at-least-forty-three-letters' } },
  }),
};
