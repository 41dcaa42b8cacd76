import { describe, expect, test } from '@jest/globals';
import { systemClock, toBase64 } from '@sbox/core';
import { createKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { signRequest } from '@sbox/daemon/signature';
import { agentRoutes, createClient, keyProofText } from '@sbox/protocol';
import { codeOf, createTransport, joinAgent, openManager, type TestManager } from './open-manager.ts';

const asking = (manager: TestManager, serverId: string, key: KeyPair) =>
  createClient(
    agentRoutes,
    async (request) =>
      await createTransport(
        manager.manager.url,
        async ({ method, path, body = new Uint8Array() }) =>
          await signRequest({ method, path, headers: {}, body }, serverId, key, systemClock),
      )(request),
  );

const bodyOf = (serverId: string, key: KeyPair) => {
  const public_key = toBase64(key.publicKey);
  return { public_key, proof: toBase64(key.sign(Buffer.from(keyProofText(serverId, public_key)))) };
};

async function openJoined() {
  await using opening = new AsyncDisposableStack();
  const manager = opening.use(await openManager());
  const { id, key: old } = await joinAgent(manager, 'edge');
  const next = createKeyPair();
  const as = (key: KeyPair) => asking(manager, id, key);
  /** A server without a config: whoever may ask is told so. */
  const codeWith = async (key: KeyPair) => await codeOf(as(key).desired({}));
  const opened = opening.move();
  return { manager, id, old, next, as, codeWith, [Symbol.asyncDispose]: async () => await opened.disposeAsync() };
}

describe('the key of a server', () => {
  test('scenario 26: both keys are good until the next one is used, also over a restart; then only that one', async () => {
    await using joined = await openJoined();
    const { manager, id, old, next, as, codeWith } = joined;
    expect(await codeWith(next)).toBe('auth.signature-invalid');
    expect(await as(old).keys({ body: bodyOf(id, next) })).toEqual({ keyid: next.keyid, state: 'candidate' });
    expect(await codeWith(old)).toBe('server.not-assigned');
    await manager.restart();
    // The answer was lost: it may be said again, by the old key and by the new one.
    expect(await as(old).keys({ body: bodyOf(id, next) })).toMatchObject({ state: 'candidate' });
    expect(await as(next).keys({ body: bodyOf(id, next) })).toEqual({ keyid: next.keyid, state: 'committed' });
    expect(await codeWith(old)).toBe('auth.signature-invalid');
    await manager.restart();
    expect(await codeWith(next)).toBe('server.not-assigned');
    const { items } = await manager.client.events.list({});
    expect(items.filter(({ type }) => type === 'server.key-rotated')).toMatchObject([
      { data: { server_id: id, keyid: next.keyid } },
    ]);
  });

  test('any request by the next key makes it the one in use', async () => {
    await using joined = await openJoined();
    const { id, old, next, as, codeWith } = joined;
    await as(old).keys({ body: bodyOf(id, next) });
    expect(await codeWith(next)).toBe('server.not-assigned');
    expect(await codeWith(old)).toBe('auth.signature-invalid');
  });

  test('a second next key replaces one that was never used, and a removed server has none', async () => {
    await using joined = await openJoined();
    const { manager, id, old, next, as, codeWith } = joined;
    const other = createKeyPair();
    await as(old).keys({ body: bodyOf(id, other) });
    await as(old).keys({ body: bodyOf(id, next) });
    expect(await codeWith(other)).toBe('auth.signature-invalid');
    await manager.client.servers.remove({ params: { id }, headers: { 'if-match': '*' } });
    for (const key of [old, next]) expect(await codeWith(key)).toBe('auth.revoked');
  });

  test.each([
    [
      'signed by another key',
      (id: string, key: KeyPair) => ({ ...bodyOf(id, key), proof: bodyOf(id, createKeyPair()).proof }),
    ],
    ['for another server', (_: string, key: KeyPair) => bodyOf('srv_other', key)],
    [
      'of bytes that are no key',
      (id: string) => ({ ...bodyOf(id, createKeyPair()), public_key: toBase64(Buffer.from('x')) }),
    ],
  ])('a proof %s is refused', async (_, body) => {
    await using joined = await openJoined();
    const { id, old, next, as } = joined;
    expect(await codeOf(as(old).keys({ body: body(id, next) }))).toBe('request.invalid');
  });
});
