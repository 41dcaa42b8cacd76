import { cp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { agentFeatures, agentRoutes, createClient, type TransportRequest } from '@sbox/protocol';
import { rotateOnlineKey } from '../src/rotate-online-key.ts';
import { createTransport, joinAgent, openManager, type TestManager } from './open-manager.ts';

const text = 'trojan://example-password@192.0.2.1:443#One';
const facts = { version: '0.2.0', os: 'linux', arch: 'x64', host_name: 'edge' };

async function openDeployed() {
  await using opening = new AsyncDisposableStack();
  const manager = opening.use(await openManager());
  const { client } = manager;
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const agent = await joinAgent(manager, 'edge');
  const older = await joinAgent(manager, 'older');
  await agent.say({ agent: { ...facts, features: [...agentFeatures] }, phase: 'serving' });
  await client.configs.deploy({ params: { id: 'home' }, body: { servers: [agent.id, older.id] } });
  for (const each of [agent, older]) {
    for (let tries = 0; tries < 200 && (await each.manifest().catch(() => undefined)) === undefined; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await each.commit();
  }
  const opened = opening.move();
  return { manager, agent, older, [Symbol.asyncDispose]: async () => await opened.disposeAsync() };
}

describe('a manager that moves', () => {
  test('tells each server that understands it, once, and orders nothing else', async () => {
    await using fleet = await openDeployed();
    const { manager, agent, older } = fleet;
    const urls = ['https://new.example.test:4780'];
    const before = await agent.manifest();
    const olderBefore = await older.manifest();
    for (let restart = 0; restart < 2; restart += 1)
      await manager.restart({ agents: { heartbeat: '30s', poll: '60s', reconnect_window: '5s', urls } });
    const after = await agent.manifest();
    expect(after?.manifest).toEqual({
      ...before?.manifest,
      generation: (before?.manifest.generation ?? 0) + 1,
      issued_at: expect.any(String),
      settings: { ...before?.manifest.settings, manager_urls: urls },
    });
    expect(await older.manifest()).toEqual(olderBefore);
    await manager.restart({ agents: { heartbeat: '30s', poll: '60s', reconnect_window: '5s', urls: [] } });
    expect((await agent.manifest())?.manifest.settings.manager_urls).toBeUndefined();
  });
});

test('a server that is assigned nothing hears of it, too, and is still one that nothing was ordered for', async () => {
  await using manager = await openManager();
  const [agent, older] = [await joinAgent(manager, 'edge'), await joinAgent(manager, 'older')];
  await agent.say({ agent: { ...facts, features: [...agentFeatures] }, phase: 'idle' });
  const urls = ['https://new.example.test:4780'];
  const agents = { heartbeat: '30s', poll: '60s', reconnect_window: '5s', urls };
  for (const epoch of [1, 2]) {
    await manager.restart({ agents, epoch });
    expect((await agent.manifest())?.manifest).toMatchObject({
      epoch,
      generation: epoch,
      settings: { manager_urls: urls },
      critical: ['no-order'],
      units: [],
    });
  }
  await expect(older.manifest()).rejects.toMatchObject({ code: 'server.not-assigned' });
  const late = await joinAgent(manager, 'late', undefined, agentFeatures);
  expect((await late.manifest())?.manifest).toMatchObject({ settings: { manager_urls: urls }, units: [] });
  const { items } = await manager.client.servers.list();
  expect(items.map(({ desired }) => desired)).toEqual([null, null, null]);
});

const trustAt = (manager: TestManager) => async () => {
  const send = async (request: TransportRequest) => await createTransport(manager.manager.url, () => ({}))(request);
  const { trust } = await createClient(agentRoutes, send).trust();
  return JSON.parse(Buffer.from(trust.payload, 'base64').toString()) as {
    version: number;
    keys: { keyid: string }[];
  };
};

describe('another online key', () => {
  test('stands in the next trust document, and signs the orders that there are', async () => {
    await using fleet = await openDeployed();
    const { manager, agent } = fleet;
    const trustOf = trustAt(manager);
    const signersOf = async () => {
      const { bytes } = await agent.client.desired({});
      return (JSON.parse(Buffer.from(bytes ?? []).toString()) as { signatures: { keyid: string }[] }).signatures;
    };
    const [before, trustBefore] = [await agent.manifest(), await trustOf()];
    const data = path.join(manager.directory, 'data');
    await expect(rotateOnlineKey(data)).rejects.toMatchObject({ code: 'manager.running' });
    // What a rotation left that was interrupted.
    await writeFile(path.join(data, 'keys/online.pem.next'), 'torn');
    let keyid = '';
    await manager.restart({}, async () => void ({ keyid } = await rotateOnlineKey(data)));
    const [after, trustAfter] = [await agent.manifest(), await trustOf()];
    expect(trustAfter.version).toBeGreaterThan(trustBefore.version);
    expect(after?.manifest).toEqual(before?.manifest);
    expect(after?.etag).not.toBe(before?.etag);
    expect(trustAfter.keys.map((key) => key.keyid)).toEqual([keyid]);
    expect((await signersOf()).map((signature) => signature.keyid)).toEqual([keyid]);
    await manager.restart();
    expect((await agent.manifest())?.etag).toBe(after?.etag);
  });

  test('after a restore is newer than one that servers saw before it', async () => {
    let now = 1_800_000_000_000;
    const clock = { ...systemClock, now: () => now };
    await using manager = await openManager({}, { clock });
    const data = path.join(manager.directory, 'data');
    const backup = path.join(manager.directory, 'backup');
    const trustOf = trustAt(manager);
    const rotate = async (): Promise<number> => {
      now += 60_000;
      await manager.restart({}, async () => void (await rotateOnlineKey(data)));
      return (await trustOf()).version;
    };
    await manager.restart({}, async () => await cp(data, backup, { recursive: true }));
    const seen = await rotate();
    await manager.restart({}, async () => {
      await rm(data, { recursive: true });
      await cp(backup, data, { recursive: true });
    });
    expect(await rotate()).toBeGreaterThan(seen);
  });
});
