import { describe, expect, test } from '@jest/globals';
import { readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError, systemClock, toBase64 } from '@sbox/core';
import { createKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { keyProofText } from '@sbox/protocol';
import { eventually, openBench } from '../../test/agent-bench.ts';
import { openStateDirectory } from '../identity/identity.ts';
import { openServerKeys, type ServerKeys } from '../identity/server-keys.ts';
import { createKeyRotation } from './key-rotation.ts';

const serverId = 'srv_1';

/** The manager's side of the agreement, with a place for faults: before it hears, or after it did. */
function createRegistry(first: string) {
  const registry = {
    current: first,
    candidate: undefined as string | undefined,
    fault: undefined as 'lost-request' | 'lost-answer' | 'no-route' | 'front-without-manager' | undefined,
    calls: [] as string[],
    take(signer: KeyPair, publicKey: string): void {
      if (registry.fault === 'lost-request') throw new ProblemError('manager.unreachable', 'gone');
      if (registry.fault === 'no-route') throw new ProblemError('route.not-found', 'what?');
      if (registry.fault === 'front-without-manager')
        throw new ProblemError('remote.failed', 'status 404', { details: { status: 404 } });
      if (signer.keyid !== registry.current && signer.keyid !== registry.candidate)
        throw new ProblemError('auth.signature-invalid', 'who?');
      if (signer.keyid === registry.candidate) [registry.current, registry.candidate] = [signer.keyid, undefined];
      const keyid = publicKey;
      if (keyid !== registry.current) registry.candidate = keyid;
      registry.calls.push(signer.keyid === keyid ? 'used' : 'brought');
      if (registry.fault === 'lost-answer') throw new ProblemError('manager.unreachable', 'gone');
    },
  };
  return registry;
}
type Registry = ReturnType<typeof createRegistry>;

function rotationOf(keys: ServerKeys, registry: Registry, rotateAfterMs = 0) {
  const stopping = new AbortController();
  const rotation = createKeyRotation({
    serverId,
    keys,
    rotateAfterMs,
    stopping: stopping.signal,
    onRotated: () => {},
    clock: systemClock,
    random: () => 0.5,
    log: silentLogger,
    retry: { baseMs: 1, capMs: 4 },
    clientOf: (key) => ({
      async keys({ body }) {
        await Promise.resolve();
        const known = [keys.key, keys.next, keys.previous].find(
          (each) => each && toBase64(each.publicKey) === body.public_key,
        );
        expect(body.proof).toBe(
          toBase64(known?.sign(Buffer.from(keyProofText(serverId, body.public_key))) ?? new Uint8Array()),
        );
        registry.take(key, known?.keyid ?? '');
        return { keyid: known?.keyid ?? '', state: 'candidate' as const };
      },
      [Symbol.asyncDispose]: async () => await Promise.resolve(),
    }),
  });
  const done = rotation.run(stopping.signal);
  return Object.assign(rotation, {
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('over'));
      await done;
    },
  });
}

async function openKeys() {
  const bench = await openBench();
  await openStateDirectory(bench.stateDir);
  const keys = await openServerKeys(bench.stateDir);
  return { bench, keys, stateDir: bench.stateDir, [Symbol.asyncDispose]: bench[Symbol.asyncDispose] };
}

describe('a new key of a server', () => {
  test('is brought by the old one, used, and kept; the one before stays for an old backup', async () => {
    await using opened = await openKeys();
    const { keys, stateDir } = opened;
    const before = keys.key.keyid;
    const registry = createRegistry(before);
    await using rotation = rotationOf(keys, registry);
    const { keyid } = await rotation.rotate();
    expect(keyid).not.toBe(before);
    expect(registry).toMatchObject({ current: keyid, candidate: undefined, calls: ['brought', 'used'] });
    expect((await readdir(stateDir)).toSorted()).toEqual(['agent.key', 'agent.key.previous']);
    const again = await openServerKeys(stateDir);
    expect([again.key.keyid, again.previous?.keyid]).toEqual([keyid, before]);
  });

  /** Where the power goes: what each side knows by then. */
  const crashes: readonly {
    readonly at: string;
    readonly until: (keys: ServerKeys, registry: Registry) => Promise<void>;
  }[] = [
    { at: 'the next key is stored', until: async (keys) => void (await keys.prepare()) },
    {
      at: 'it was brought and the answer lost',
      until: async (keys, registry) => void (registry.candidate = (await keys.prepare()).keyid),
    },
    {
      at: 'it was used and the answer lost',
      until: async (keys, registry) => void (registry.current = (await keys.prepare()).keyid),
    },
    {
      at: 'it was used and is kept',
      until: async (keys, registry) => {
        registry.current = (await keys.prepare()).keyid;
        await keys.promote();
      },
    },
  ];

  test.each(crashes)('scenario 26: a crash when $at leaves a key that works', async ({ until }) => {
    await using opened = await openKeys();
    const { keys, stateDir } = opened;
    const registry = createRegistry(keys.key.keyid);
    await until(keys, registry);
    const next = keys.next ?? keys.key;
    const reborn = await openServerKeys(stateDir);
    await using _rotation = rotationOf(reborn, registry);
    await eventually('both know the new key only', () => reborn.next === undefined && reborn.key.keyid === next.keyid);
    expect(registry.current).toBe(next.keyid);
    expect((await openServerKeys(stateDir)).key.keyid).toBe(next.keyid);
  });

  test.each(['lost-request', 'lost-answer'] as const)(
    'scenario 26: with every %s it goes on until it is done',
    async (fault) => {
      await using opened = await openKeys();
      const { keys } = opened;
      const registry = createRegistry(keys.key.keyid);
      registry.fault = fault;
      await using rotation = rotationOf(keys, registry);
      await expect(rotation.rotate()).rejects.toMatchObject({ code: 'manager.unreachable' });
      await eventually('it was tried again', () => fault === 'lost-request' || registry.calls.length > 2);
      registry.fault = undefined;
      await eventually('the next key is in use', () => keys.next === undefined);
      expect(registry.current).toBe(keys.key.keyid);
    },
  );

  test.each(['front-without-manager', 'no-route'] as const)(
    'a key that the manager took and nobody heard of is not forgotten for an answer of 404 (%s)',
    async (fault) => {
      await using opened = await openKeys();
      const { keys, stateDir } = opened;
      const registry = createRegistry(keys.key.keyid);
      registry.current = (await keys.prepare()).keyid;
      registry.fault = fault;
      const reborn = await openServerKeys(stateDir);
      await using rotation = rotationOf(reborn, registry);
      await expect(rotation.rotate()).rejects.toBeInstanceOf(ProblemError);
      registry.fault = undefined;
      await rotation.rotate();
      expect(reborn.key.keyid).toBe(registry.current);
    },
  );

  test('a manager that was restored from yesterday is told of the new key by the old one', async () => {
    await using opened = await openKeys();
    const { keys } = opened;
    const yesterday = keys.key.keyid;
    const registry = createRegistry(yesterday);
    await using rotation = rotationOf(keys, registry);
    const { keyid } = await rotation.rotate();
    [registry.current, registry.candidate] = [yesterday, undefined];
    rotation.refused();
    await eventually('the manager knows the new key', () => registry.current === keyid);
  });

  test('a manager that knows nothing of new keys keeps the one that it has', async () => {
    await using opened = await openKeys();
    const { keys, stateDir } = opened;
    const before = keys.key.keyid;
    const registry = createRegistry(before);
    registry.fault = 'no-route';
    await using rotation = rotationOf(keys, registry);
    await expect(rotation.rotate()).rejects.toMatchObject({ code: 'route.not-found' });
    expect([keys.key.keyid, (await openServerKeys(stateDir)).key.keyid]).toEqual([before, before]);
  });

  test('comes by itself when the old one is old enough, and not before', async () => {
    await using opened = await openKeys();
    const { keys, stateDir } = opened;
    const before = keys.key.keyid;
    const registry = createRegistry(before);
    {
      await using _rotation = rotationOf(keys, registry, 3_600_000);
      await new Promise((resolve) => setImmediate(resolve));
      expect(registry.calls).toEqual([]);
    }
    await utimes(path.join(stateDir, 'agent.key'), 1, 1);
    await using _rotation = rotationOf(await openServerKeys(stateDir), registry, 3_600_000);
    await eventually('a new key is in use', () => registry.current !== before);
  });

  test('one that the manager does not know at all is left as it is', async () => {
    await using opened = await openKeys();
    const { keys } = opened;
    const registry = createRegistry(createKeyPair().keyid);
    await using rotation = rotationOf(keys, registry);
    await expect(rotation.rotate()).rejects.toMatchObject({ code: 'auth.signature-invalid' });
    expect(keys.key.keyid).not.toBe(keys.next?.keyid);
  });
});
