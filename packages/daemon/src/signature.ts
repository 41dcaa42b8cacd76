import { httpbis } from 'http-message-signatures';
import { ProblemError, toBase64, type Clock } from '@sbox/core';
import { sha256, type KeyPair, type PublicKey } from './keys.ts';

/**
 * Signed requests of agents: RFC 9421 over method, path, query and the digest of the body (RFC 9530, of no bytes too).
 * The host is left out because a proxy in front of the manager changes it.
 */
const components = ['@method', '@path', '@query', 'content-digest'];
const parameters = ['created', 'expires', 'keyid', 'alg', 'tag'];
const tag = 'sbox-agent';
const lifetimeMs = 60_000;

export interface SignableRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A request that came in; its body is read when it is asked for. */
export interface VerifiableRequest extends Omit<SignableRequest, 'body'> {
  readonly readBody: () => Promise<Uint8Array>;
}

export const contentDigest = (body: Uint8Array): string => `sha-256=:${toBase64(sha256(body))}:`;

/** The headers of a request, names in lower case, with its digest and signature. `offsetMs` corrects a clock that the manager called wrong. */
export async function signRequest(
  request: SignableRequest,
  serverId: string,
  key: KeyPair,
  clock: Clock,
  offsetMs = 0,
): Promise<Record<string, string>> {
  const now = clock.now() + offsetMs;
  const signed = await httpbis.signMessage(
    {
      key: {
        id: serverId,
        alg: 'ed25519',
        sign: async (message) => await Promise.resolve(Buffer.from(key.sign(message))),
      },
      fields: components,
      params: parameters,
      paramValues: { created: new Date(now), expires: new Date(now + lifetimeMs), tag },
    },
    {
      method: request.method,
      url: `http://sbox${request.path}`,
      headers: { ...request.headers, 'content-digest': contentDigest(request.body) },
    },
  );
  return Object.fromEntries(Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * The server id that signed a request, or a ProblemError: `auth.signature-missing`, `auth.signature-invalid`,
 * `auth.clock-skew` (with the time of this machine), `request.digest-mismatch`. `lookup` throws for servers it refuses.
 */
export async function verifyRequest(
  request: VerifiableRequest,
  lookup: (serverId: string) => Promise<PublicKey | undefined>,
  clock: Clock,
): Promise<string> {
  const { headers } = request;
  if (!headers['signature-input'] || !headers['signature'])
    throw new ProblemError('auth.signature-missing', 'the request has no signature');
  if (!headers['content-digest'])
    throw new ProblemError('request.digest-mismatch', 'the request has no content-digest');
  let signer: string | undefined;
  let signatures = 0;
  const verified = await verify(request, async ({ keyid, tag: given, created, expires }) => {
    signatures += 1;
    // With a second signature beside it, an old one could be passed off as fresh.
    if (signatures > 1) throw new ProblemError('auth.signature-invalid', 'the request has more than one signature');
    if (typeof keyid !== 'string' || given !== tag) return undefined;
    refuseSkew(Number(created), Number(expires) * 1000, clock);
    signer = keyid;
    return await lookup(keyid);
  });
  if (!verified || signer === undefined) {
    throw new ProblemError('auth.signature-invalid', 'the signature is not one of a server that is known here');
  }
  // The signature covers the digest, so that the body is read only for a server that is known.
  if (headers['content-digest'] !== contentDigest(await request.readBody())) {
    throw new ProblemError('request.digest-mismatch', 'content-digest does not fit the body');
  }
  return signer;
}

/** What a signature says of itself, as the library reads it: `created` is a date, `expires` seconds. */
interface SignatureParameters {
  readonly keyid?: unknown;
  readonly tag?: unknown;
  readonly created?: unknown;
  readonly expires?: unknown;
}

async function verify(
  request: VerifiableRequest,
  lookup: (parameters: SignatureParameters) => Promise<PublicKey | undefined>,
): Promise<boolean> {
  try {
    const result = await httpbis.verifyMessage(
      {
        keyLookup: async (signatureParameters) => {
          const key = await lookup(signatureParameters);
          if (!key) return null;
          return {
            id: key.keyid,
            algs: ['ed25519'],
            verify: async (message, signature) => await Promise.resolve(key.verify(message, signature)),
          };
        },
        requiredFields: components,
        requiredParams: parameters,
        // The window was checked against the injected clock already; the library knows only the real one.
        tolerance: Number.MAX_SAFE_INTEGER / 2000,
      },
      { method: request.method, url: `http://sbox${request.path}`, headers: { ...request.headers } },
    );
    return result === true;
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('auth.signature-invalid', 'the signature headers cannot be used', { cause: error });
  }
}

function refuseSkew(createdMs: number, expiresMs: number, clock: Clock): void {
  const now = clock.now();
  const isOpen = createdMs - lifetimeMs <= now && now <= expiresMs && expiresMs - createdMs <= lifetimeMs;
  if (isOpen) return;
  throw new ProblemError('auth.clock-skew', 'the request was signed for another time', {
    details: { server_time: new Date(now).toISOString() },
  });
}
