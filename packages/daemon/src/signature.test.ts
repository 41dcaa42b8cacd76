import { describe, expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import * as fc from 'fast-check';
import { createKeyPair, readPublicKey } from './keys.ts';
import { contentDigest, signRequest, verifyRequest, type SignableRequest } from './signature.ts';

const key = createKeyPair();
const lookup = async (id: string) => await Promise.resolve(id === 'srv_1' ? readPublicKey(key.publicKey) : undefined);
const clock = createFakeClock();
const encoder = new TextEncoder();

const unsigned: SignableRequest = {
  method: 'POST',
  path: '/api/agent/v1/status?a=1&b=%20',
  headers: { 'content-type': 'application/json' },
  body: encoder.encode('{"seq":1}'),
};
const sign = async (request = unsigned, serverId = 'srv_1', offsetMs = 0): Promise<SignableRequest> => ({
  ...request,
  headers: await signRequest(request, serverId, key, clock, offsetMs),
});
const received = ({ body, ...rest }: SignableRequest) => ({
  ...rest,
  readBody: async () => await Promise.resolve(body),
});
const verify = async (request: SignableRequest, at = clock): Promise<string> =>
  await verifyRequest(received(request), lookup, at).catch((error: unknown) => (error as { code: string }).code);

test('a signed request names its server, with and without a body', async () => {
  expect(await verify(await sign())).toBe('srv_1');
  const empty = await sign({ method: 'GET', path: '/', headers: {}, body: new Uint8Array() });
  expect(empty.headers['content-digest']).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:');
  expect(await verify(empty)).toBe('srv_1');
});

test('the host may change on the way, and other headers may come', async () => {
  const signed = await sign();
  expect(await verify({ ...signed, headers: { ...signed.headers, host: 'proxy.test', via: '1.1 x' } })).toBe('srv_1');
});

describe('what was changed on the way is found', () => {
  test.each<[string, (signed: SignableRequest) => SignableRequest, string]>([
    ['method', (signed) => ({ ...signed, method: 'PUT' }), 'auth.signature-invalid'],
    ['path', (signed) => ({ ...signed, path: '/api/agent/v1/drafts?a=1&b=%20' }), 'auth.signature-invalid'],
    ['query', (signed) => ({ ...signed, path: `${signed.path}&c=3` }), 'auth.signature-invalid'],
    ['no query', (signed) => ({ ...signed, path: '/api/agent/v1/status' }), 'auth.signature-invalid'],
    ['body', (signed) => ({ ...signed, body: encoder.encode('{"seq":2}') }), 'request.digest-mismatch'],
    [
      'body with its digest',
      (signed) => {
        const body = encoder.encode('{"seq":2}');
        return { ...signed, body, headers: { ...signed.headers, 'content-digest': contentDigest(body) } };
      },
      'auth.signature-invalid',
    ],
    ['no digest', (signed) => without(signed, 'content-digest'), 'request.digest-mismatch'],
    ['no signature', (signed) => without(signed, 'signature'), 'auth.signature-missing'],
    ['no signature-input', (signed) => without(signed, 'signature-input'), 'auth.signature-missing'],
    ['another server', (signed) => edit(signed, 'srv_1', 'srv_2'), 'auth.signature-invalid'],
    ['another tag', (signed) => edit(signed, 'sbox-agent', 'other'), 'auth.signature-invalid'],
    ['another algorithm', (signed) => edit(signed, 'ed25519', 'hmac-sha256'), 'auth.signature-invalid'],
    ['fewer components', (signed) => edit(signed, '"@path" ', ''), 'auth.signature-invalid'],
    ['no key id', (signed) => edit(signed, /;keyid="[^"]*"/, ''), 'auth.signature-invalid'],
    ['no time', (signed) => edit(signed, /;created=\d+/, ''), 'auth.clock-skew'],
    ['a longer life', (signed) => edit(signed, /expires=\d+/, 'expires=9999999999'), 'auth.clock-skew'],
    [
      'garbage',
      (signed) => ({ ...signed, headers: { ...signed.headers, signature: '????' } }),
      'auth.signature-invalid',
    ],
  ])('%s', async (_, change, code) => {
    expect(await verify(change(await sign()))).toBe(code);
  });

  test('any byte of the path or the body', async () => {
    const signed = await sign();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const body = signed.body.slice();
        body[at % body.length] = (body[at % body.length] ?? 0) ^ flip;
        expect(await verify({ ...signed, body })).toBe('request.digest-mismatch');
        const index = 1 + (at % (signed.path.length - 1));
        const path = `${signed.path.slice(0, index)}x${signed.path.slice(index + 1)}`;
        if (path !== signed.path) expect(await verify({ ...signed, path })).toBe('auth.signature-invalid');
      }),
      { numRuns: 50 },
    );
  });
});

test('whatever stands in the headers of a signature, the answer is a problem', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.string({ unit: 'binary' }), async (input, signature) => {
      const headers = { 'signature-input': input, signature, 'content-digest': contentDigest(unsigned.body) };
      expect(await verify({ ...unsigned, headers })).toMatch(/^(auth|request)\./);
      const valid = `sig=("@method");created=${Math.floor(clock.now() / 1000)};expires=${Math.floor(clock.now() / 1000) + 60}`;
      expect(await verify({ ...unsigned, headers: { ...headers, 'signature-input': valid + input } })).toMatch(
        /^auth\./,
      );
    }),
    { numRuns: 50 },
  );
});

describe('time', () => {
  test('a request holds for a minute, and a clock may be a minute ahead', async () => {
    const signed = await sign();
    const at = async (ms: number) => await verify(signed, createFakeClock(clock.now() + ms));
    expect([await at(60_000), await at(-60_000)]).toEqual(['srv_1', 'srv_1']);
    expect([await at(61_000), await at(-61_000)]).toEqual(['auth.clock-skew', 'auth.clock-skew']);
  });

  test('the refusal tells the time, and with it the next request is right', async () => {
    const late = createFakeClock(clock.now() + 3_600_000);
    const refused = verifyRequest(received(await sign()), lookup, late);
    await expect(refused).rejects.toMatchObject({ details: { server_time: '2026-01-01T01:00:00.000Z' } });
    expect(await verify(await sign(unsigned, 'srv_1', 3_600_000), late)).toBe('srv_1');
  });
});

test('a server that may not be known any more keeps its own problem', async () => {
  const gone = Object.assign(new Error('gone'), { code: 'auth.revoked' });
  await expect(verifyRequest(received(await sign()), async () => await Promise.reject(gone), clock)).rejects.toThrow();
});

test('the body of a stranger is not read', async () => {
  const { body: _, ...stranger } = await sign(unsigned, 'srv_unknown');
  const readBody = async () => await Promise.reject(new Error('nobody may read this body'));
  await expect(verifyRequest({ ...stranger, readBody }, lookup, clock)).rejects.toMatchObject({
    code: 'auth.signature-invalid',
  });
});

test('two signatures are refused: it would not be clear who asks', async () => {
  const signed = await sign();
  const other = await sign(unsigned, 'srv_2');
  const rename = (text: string | undefined): string => (text ?? '').replace(/^[^=]+=/, 'second=');
  const headers = {
    ...signed.headers,
    'signature-input': `${signed.headers['signature-input']}, ${rename(other.headers['signature-input'])}`,
    signature: `${signed.headers['signature']}, ${rename(other.headers['signature'])}`,
  };
  expect(await verify({ ...signed, headers })).toBe('auth.signature-invalid');
});

test('an old request does not become fresh by a fresh entry in front of it', async () => {
  const old = await sign();
  const later = createFakeClock(clock.now() + 3_600_000);
  const seconds = later.now() / 1000;
  const bait = `bait=("@method");created=${seconds};expires=${seconds + 60}`;
  for (const extra of ['', ';keyid="srv_1"', ';keyid="srv_1";tag="sbox-agent"']) {
    const headers = {
      ...old.headers,
      'signature-input': `${bait}${extra}, ${old.headers['signature-input']}`,
      signature: `bait=:AAAA:, ${old.headers['signature']}`,
    };
    expect(await verify({ ...old, headers }, later)).toBe('auth.signature-invalid');
  }
});

function without(signed: SignableRequest, name: string): SignableRequest {
  const { [name]: _, ...headers } = signed.headers;
  return { ...signed, headers };
}

function edit(signed: SignableRequest, from: string | RegExp, to: string): SignableRequest {
  const input = (signed.headers['signature-input'] ?? '').replace(from, to);
  expect(input).not.toBe(signed.headers['signature-input']);
  return { ...signed, headers: { ...signed.headers, 'signature-input': input } };
}
