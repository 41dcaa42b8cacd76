import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fromBase64, sealEnvelope, type Envelope } from '@sbox/core';
import { createKeyPair } from '@sbox/daemon/keys';
import {
  startFleet,
  startTamperingProxy,
  watchEngine,
  type Fleet,
  type Tamper,
  type TamperingProxy,
  type WireAnswer,
  type WireRequest,
} from '../src/index.ts';

let fleet: Fleet;
let wire: TamperingProxy;
let firstManifest: WireAnswer | undefined;

const isManifest = ({ path }: WireRequest, { status }: WireAnswer): boolean =>
  path === '/api/agent/v1/desired' && status === 200;

/** Lies about manifests only. */
const manifests =
  (rewrite: (answer: WireAnswer) => WireAnswer): Tamper =>
  (answer, request) =>
    isManifest(request, answer) ? rewrite(answer) : answer;

/** Lies about content only; it goes over the wire compressed. */
const contents =
  (rewrite: (answer: WireAnswer, plain: Buffer) => WireAnswer): Tamper =>
  (answer, { path }) =>
    path.startsWith('/api/agent/v1/blobs/') && answer.status === 200
      ? rewrite(answer, zstdDecompressSync(answer.body))
      : answer;

const envelopeOf = ({ body }: WireAnswer): Envelope => JSON.parse(body.toString()) as Envelope;
const withEnvelope = (answer: WireAnswer, envelope: Envelope): WireAnswer => ({
  ...answer,
  body: Buffer.from(JSON.stringify(envelope)),
});

function withFlippedByte(bytes: Uint8Array, at: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped.set([(flipped[at] ?? 0) ^ 1], at);
  return flipped;
}

beforeAll(async () => {
  fleet = await startFleet({
    watch: '200ms',
    agent: { SYNC_RESYNC: '500ms', APPLY_RETRY: '["300ms"]' },
    between: async (managerUrl) => {
      wire = await startTamperingProxy(managerUrl);
      wire.lie(
        manifests((answer) => {
          firstManifest ??= answer;
          return answer;
        }),
      );
      return wire;
    },
  });
}, 60_000);

afterAll(async () => await fleet[Symbol.asyncDispose]());

/** Publishes one version more, under this lie. */
async function publishUnder(tamper: Tamper): Promise<number> {
  const { client } = fleet.manager;
  const { version } = await client.configs.get({ params: { id: 'main' } });
  wire.lie(tamper);
  // Other names than ever before: content that is there already is not fetched again.
  const links = fleet.provider.nodes.map(({ link }) => `${link}${version}`);
  fleet.provider.setBody({ body: links.join('\n') });
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  return (version ?? 0) + 1;
}

/** Once nobody lies any more, the version comes through by itself. */
async function expectRecovery(version: number): Promise<void> {
  wire.lie();
  const status = await fleet.agent.until('on the version that was kept away', ({ phase, running, nack }) => {
    return phase === 'committed' && running?.generation === version && nack === null;
  });
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Reconciled', status: 'true' }));
  expect(await fleet.request()).toBe('origin-ok');
  await fleet.untilServer('healthy', ({ state }) => state === 'healthy');
}

test('a proxy in front changes the Host: signed requests and the socket get through all the same', async () => {
  const status = await fleet.agent.until('on a socket', ({ manager }) => manager?.transport === 'websocket');
  expect(status.manager).toMatchObject({ url: wire.url, reachable: true });
  const signed = wire.requests.filter(({ headers }) => headers['signature-input'] !== undefined);
  expect(new Set(signed.map(({ path }) => path.split('/')[4]))).toEqual(
    new Set(['desired', 'blobs', 'status', 'stream']),
  );
  expect(wire.requests.every(({ headers }) => headers.host === new URL(wire.url).host)).toBe(true);
});

const lies: {
  readonly code: string;
  readonly of: string;
  readonly tamper: Tamper;
  readonly message: RegExp;
}[] = [
  {
    code: 'manifest.signature-invalid',
    of: 'scenario 7: a manifest with a flipped byte',
    tamper: manifests((answer) => {
      const { payload, ...rest } = envelopeOf(answer);
      const flipped = withFlippedByte(fromBase64(payload) ?? new Uint8Array(), 40);
      return withEnvelope(answer, { ...rest, payload: flipped.toString('base64') });
    }),
    message: /signature is not right/,
  },
  {
    code: 'manifest.unknown-key',
    of: 'scenario 7: a manifest that somebody else signed',
    tamper: manifests((answer) => {
      const { payload, payloadType } = envelopeOf(answer);
      const stranger = createKeyPair();
      const body = fromBase64(payload) ?? new Uint8Array();
      return withEnvelope(answer, sealEnvelope(payloadType, body, stranger.keyid, stranger.sign));
    }),
    message: /signed by [0-9a-f]{16}/,
  },
  {
    code: 'manifest.stale',
    of: 'scenario 8: the manifest of generation 1 again',
    tamper: manifests((answer) => firstManifest ?? answer),
    message: /1\.1 is older than 1\.\d/,
  },
  {
    code: 'blob.digest-mismatch',
    of: 'scenario 9: content with one wrong byte',
    tamper: contents((answer, plain) => ({
      ...answer,
      body: zstdCompressSync(withFlippedByte(plain, plain.length >> 1)),
    })),
    message: /expected \d+ bytes with sha256:[0-9a-f]{64}, got/,
  },
  {
    code: 'blob.digest-mismatch',
    of: 'scenario 9: content that ends too early',
    tamper: contents((answer, plain) => ({ ...answer, body: zstdCompressSync(plain.subarray(0, -1)) })),
    message: /expected \d+ bytes/,
  },
  {
    code: 'blob.fetch-failed',
    of: 'scenario 9: content whose connection breaks',
    tamper: contents((answer) => ({ ...answer, cutAfter: answer.body.length >> 1 })),
    message: /sha256:[0-9a-f]{64}: /,
  },
  {
    // What comes out of it is nothing, something else, or an error: whatever it is, it is not taken.
    code: 'blob.',
    of: 'scenario 9: compressed content with a wrong byte',
    tamper: contents((answer) => ({ ...answer, body: withFlippedByte(answer.body, answer.body.length >> 1) })),
    message: /sha256:[0-9a-f]{64}/,
  },
];

test.each(lies)('$of is refused with $code, nothing is touched, and it heals', async ({ code, tamper, message }) => {
  const before = (await fleet.agent.local.status()).running;
  using watch = await watchEngine(fleet);
  const version = await publishUnder(tamper);
  const { nack, running } = await fleet.agent.until(
    `refusing with ${code}`,
    ({ nack: now }) => now?.code.startsWith(code) === true,
  );
  expect(nack?.message).toMatch(message);
  expect(nack?.stage).toBe(code.startsWith('blob.') ? 'fetch' : 'verify');
  expect(running).toEqual(before);
  await fleet.untilServer('told why', ({ status }) => status?.nack?.code.startsWith(code) === true);
  await watch.assertUntouched();
  await expectRecovery(version);
});

const nonsense: { readonly of: string; readonly answer: WireAnswer }[] = [
  {
    of: 'HTML with 200',
    answer: { status: 200, headers: { 'content-type': 'text/html' }, body: Buffer.from('<!doctype html><p>Log in') },
  },
  { of: '500', answer: { status: 500, headers: { 'content-type': 'text/plain' }, body: Buffer.from('out of order') } },
];

test.each(nonsense)(
  'scenario 3: $of instead of the manager: it counts as away, and nothing changes',
  async ({ answer }) => {
    const before = (await fleet.agent.local.status()).running;
    using watch = await watchEngine(fleet);
    const version = await publishUnder(() => answer);
    const status = await fleet.agent.until('away', ({ manager }) => manager?.reachable === false && manager.tries > 2);
    expect(status).toMatchObject({ running: before, nack: null, phase: 'committed' });
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'ManagerReachable', status: 'false', message: expect.stringMatching(/\S/) }),
    );
    await watch.assertUntouched();
    await expectRecovery(version);
  },
);
