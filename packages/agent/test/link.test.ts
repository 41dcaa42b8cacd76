import { describe, expect, test } from '@jest/globals';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { createClient, localRoutes, type Manifest } from '@sbox/protocol';
import { socketTransport } from '../src/cli/local-client.ts';
import { eventually, openBench, type TestAgent, untilRuns } from './agent-bench.ts';
import { createTestCertificates } from './certificates.ts';
import { openGate } from './gate.ts';
import { startManagerDouble, type ManagerDouble } from './manager-double.ts';
import { configText, testManifest } from './manifests.ts';
import { openProxy } from './proxy.ts';

const clock = systemClock;
const [one, two, three] = ['one', 'two', 'three'].map(configText) as [Uint8Array, Uint8Array, Uint8Array];
const portOf = (url: string): number => Number(new URL(url).port);
const viewOf = async (agent: TestAgent) =>
  (await createClient(localRoutes, socketTransport(agent.socketFile)).status()).manager;

const openTls = async () => await createTestCertificates(['manager.sbox.internal']);

describe('hints', () => {
  test('scenario 6: a hundred times, in any order and of what is past: the same end, one question at a time', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true, resync: '10m' } }));
    await untilRuns(agent, 1);
    await eventually('the socket is open', () => manager.sockets.size === 1);
    const before = manager.requests.filter(({ path: asked }) => asked.endsWith('/desired')).length;
    manager.publish(testManifest(id, 2, two), [two]);
    for (let turn = 0; turn < 100; turn += 1) {
      const generation = [2, 1, 7, 0][turn % 4] ?? 0;
      manager.send({ type: 'hint', timestamp: new Date().toISOString(), data: { epoch: 1, generation } });
    }
    await untilRuns(agent, 2);
    await eventually('a heartbeat after all of it', () => manager.frames.length > 1);
    const questions = manager.requests.filter(({ path: asked }) => asked.endsWith('/desired')).length - before;
    expect(questions).toBeLessThan(30);
    expect([...new Set(agent.fake.offered.map(({ manifest }) => manifest.generation))]).toEqual([1, 2]);
    expect(manager.deepestDesired).toBe(1);
  });

  test('scenario 6: one that is lost costs no more than the slow check', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true, resync: '500ms' } }));
    await untilRuns(agent, 1);
    await eventually('the socket is open', () => manager.sockets.size === 1);
    manager.isMute = true;
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
  });

  test('frames of a newer manager are no reason to end the socket', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true, resync: '10m' } }));
    await eventually('the socket is open', () => manager.sockets.size === 1);
    const [socket] = manager.sockets;
    manager.send({ type: 'command', timestamp: 'now', data: [1] } as never);
    socket?.send('not json');
    socket?.send(Buffer.from([1, 2, 3]));
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    expect([...manager.sockets]).toEqual([socket]);
  });
});

test('scenario 4: a connection on which nothing comes any more ends within 2.5 heartbeats, and a new one works', async () => {
  await using bench = await openBench();
  await using manager = await startManagerDouble({ clock });
  await using gate = await openGate(portOf(manager.url));
  const { server_id: id } = await bench.join(manager);
  manager.publish(testManifest(id, 1, one), [one]);
  const urls = [`http://127.0.0.1:${gate.port}`];
  const settings = bench.settings({
    manager: { urls },
    sync: { socket: true, resync: '10m', connect_timeout: '500ms' },
  });
  await using agent = await bench.start(settings);
  await eventually('the socket is open', async () => (await viewOf(agent))?.transport === 'websocket');
  await gate.set('frozen');
  const frozenMs = performance.now();
  // The double's heartbeat is a second; half a one more for a busy machine.
  await eventually('the socket counts as dead', async () => (await viewOf(agent))?.transport !== 'websocket', 8000);
  expect(performance.now() - frozenMs).toBeLessThan(2500 + 1000 + 500);
  await gate.set('open');
  manager.publish(testManifest(id, 2, two), [two]);
  await untilRuns(agent, 2, 20_000);
  expect(agent.fake.offered.every(({ source }) => source === 'manager')).toBe(true);
}, 40_000);

test.each([-1, 1])(
  'scenario 23: a clock that is %i days off is repaired by the time of the manager, and no timer of ours notices',
  async (days) => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    // It expires today, whatever this machine thinks.
    const not_after = new Date(Date.now() + 3_600_000).toISOString();
    manager.publish(testManifest(id, 1, one, { not_after }), [one]);
    let offMs = days * 86_400_000;
    const wrong = { ...clock, now: () => clock.now() + offMs };
    await using agent = await bench.start(bench.settings({ sync: { poll: '200ms' } }), { clock: wrong });
    await untilRuns(agent, 1);
    // And now the clock is set.
    const before = manager.requests.length;
    offMs = 0;
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    expect(manager.requests.length - before).toBeLessThan(20);
    expect(agent.fake.state.running?.generation).toBe(2);
  },
);

test('a server that joins again follows its new orders, whatever number the old ones had', async () => {
  await using bench = await openBench();
  await using manager = await startManagerDouble({ clock });
  const { server_id: before } = await bench.join(manager);
  manager.publish(testManifest(before, 5, one), [one]);
  await using agent = await bench.start();
  await untilRuns(agent, 5);
  await rm(path.join(bench.stateDir, 'agent.key'));
  const { server_id: id } = await bench.join(manager);
  expect(id).not.toBe(before);
  await eventually('it says so as the new one', () => agent.statusSource.status().observed === null);
  expect(agent.fake.offered).toHaveLength(1);
  manager.publish(testManifest(id, 1, two), [two]);
  await untilRuns(agent, 1);
  expect(agent.statusSource.status()).toMatchObject({ observed: { generation: 1 }, nack: null });
});

describe('a manager that moves', () => {
  const movedTo = (id: string, urls: readonly string[], generation = 2, content = two): Manifest => {
    const manifest = testManifest(id, generation, content);
    return { ...manifest, settings: { ...manifest.settings, manager_urls: [...urls] } };
  };

  test('is followed once it has answered at the new address, and its old one is not needed any more', async () => {
    await using bench = await openBench();
    await using old = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(old);
    await using moved = await startManagerDouble({ clock, keys: old.keys });
    for (const [serverId, key] of old.servers) moved.servers.set(serverId, key);
    const dead = 'https://127.0.0.1:1';
    const manifest = movedTo(id, [moved.url, dead]);
    old.publish(manifest, [two]);
    moved.publish(manifest, [two]);
    await using agent = await bench.start();
    await eventually('it asks there', async () => (await viewOf(agent))?.url === moved.url);
    await old[Symbol.asyncDispose]();
    moved.publish(movedTo(id, [moved.url], 3, three), [three]);
    await untilRuns(agent, 3);
    expect(JSON.parse(await readFile(path.join(bench.stateDir, 'addresses.json'), 'utf8'))).toMatchObject({
      learned: [moved.url],
      candidates: [],
    });
  });

  test('is not somebody else who answers there, with old orders or with others', async () => {
    await using bench = await openBench();
    await using old = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(old);
    await using stranger = await startManagerDouble({ clock });
    for (const [serverId, key] of old.servers) stranger.servers.set(serverId, key);
    await using stale = await startManagerDouble({ clock, keys: old.keys });
    for (const [serverId, key] of old.servers) stale.servers.set(serverId, key);
    const manifest = movedTo(id, [stranger.url, stale.url]);
    old.publish(manifest, [two]);
    stranger.publish(manifest, [two]);
    stale.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start();
    await eventually('both were asked', () => stranger.requests.length > 2 && stale.requests.length > 2);
    expect((await viewOf(agent))?.url).toBe(old.url);
    const stored = JSON.parse(await readFile(path.join(bench.stateDir, 'addresses.json'), 'utf8')) as unknown;
    expect(stored).toMatchObject({ learned: [], candidates: [stranger.url, stale.url] });
  });

  test('is followed by a server without orders, and what was imported there runs on', async () => {
    await using bench = await openBench();
    await using old = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(old);
    await using moved = await startManagerDouble({ clock, keys: old.keys });
    for (const [serverId, key] of old.servers) moved.servers.set(serverId, key);
    const manifest: Manifest = { ...movedTo(id, [moved.url], 1), critical: ['no-order'], units: [] };
    await using agent = await bench.start();
    const running = { epoch: 1, generation: 0, source: 'local' as const, digest: null };
    agent.fake.set({ running, phase: 'committed' });
    old.publish(manifest);
    moved.publish(manifest);
    await eventually('it asks there', async () => (await viewOf(agent))?.url === moved.url);
    agent.fake.set({ phase: 'serving' });
    await eventually('it has reported there', () => moved.statuses.length > 0);
    expect(agent.fake.offered).toEqual([]);
    expect(agent.fake.state).toMatchObject({ running, nack: null });
    await old[Symbol.asyncDispose]();
    moved.publish(movedTo(id, [moved.url], 2), [two]);
    await untilRuns(agent, 2);
  });

  /** What is on disk when the agent dies: before it heard, after it heard, after it moved. */
  test.each([
    ['before it heard of it', undefined],
    ['when it had heard of it', { order: [], learned: [], candidates: ['new'] }],
    ['when it had moved', { order: ['new'], learned: ['new'], candidates: [] }],
  ] as const)('is found by an agent that died %s', async (_, stored) => {
    await using bench = await openBench();
    await using old = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(old);
    await using moved = await startManagerDouble({ clock, keys: old.keys });
    for (const [serverId, key] of old.servers) moved.servers.set(serverId, key);
    const manifest = movedTo(id, [moved.url]);
    moved.publish(manifest, [two]);
    if (stored === undefined) old.publish(manifest, [two]);
    else {
      // The old one is gone for good, because the agent could get on without it.
      const text = JSON.stringify({ server_id: id, ...stored }).replaceAll('"new"', JSON.stringify(moved.url));
      await writeFile(path.join(bench.stateDir, 'addresses.json'), text);
      await old[Symbol.asyncDispose]();
    }
    await using agent = await bench.start();
    await untilRuns(agent, 2);
    await eventually('it asks there', async () => (await viewOf(agent))?.url === moved.url);
  });
});

describe('the way to a manager', () => {
  test.each(['http', 'socks5'] as const)(
    'via: proxy goes through the %s proxy with its credentials, socket and all',
    async (type) => {
      await using bench = await openBench();
      await using manager = await startManagerDouble({ clock, certificates: await openTls() });
      const { server_id: id } = await bench.join(manager);
      manager.publish(testManifest(id, 1, one), [one]);
      await using proxy = await openProxy({ type, login: 'us er:p@ss', onwardPort: portOf(manager.url) });
      const settings = bench.settings({
        manager: {
          urls: ['https://manager.nowhere.test'],
          via: 'proxy',
          proxy: `${type}://us%20er:p%40ss@127.0.0.1:${proxy.port}`,
        },
        sync: { socket: true },
      });
      await using agent = await bench.start(settings);
      await untilRuns(agent, 1);
      await eventually('the socket is open', () => manager.sockets.size === 1);
      expect(new Set(proxy.targets)).toEqual(new Set(['manager.nowhere.test:443']));
      expect(await viewOf(agent)).toMatchObject({ via: 'proxy', url: 'https://manager.nowhere.test', reachable: true });
      manager.publish(testManifest(id, 2, two), [two]);
      await untilRuns(agent, 2);
    },
  );

  test('a proxy that shows another manager is not believed', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock, certificates: await openTls() });
    await using impostor = await startManagerDouble({ clock, certificates: await openTls(), keys: manager.keys });
    await bench.join(manager);
    await using proxy = await openProxy({ type: 'http', onwardPort: portOf(impostor.url) });
    const via = { urls: ['https://manager.nowhere.test'], via: 'proxy', proxy: `http://127.0.0.1:${proxy.port}` };
    await using agent = await bench.start(bench.settings({ manager: via }));
    await eventually('it was tried', () => proxy.targets.length > 1);
    expect(impostor.requests).toEqual([]);
    expect((await viewOf(agent))?.reachable).toBe(false);
  });

  test('via: auto goes through an engine while the direct way is dead, and back', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock, certificates: await openTls() });
    await using gate = await openGate(portOf(manager.url));
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using engine = await openProxy({ type: 'http', onwardPort: portOf(manager.url) });
    let laterMs = 0;
    const later = { ...clock, monotonic: () => clock.monotonic() + laterMs };
    const urls = [`https://127.0.0.1:${gate.port}`];
    const settings = bench.settings({ manager: { urls, via: 'auto' }, sync: { socket: true, socket_retry: '50ms' } });
    await using agent = await bench.start(settings, { clock: later });
    await untilRuns(agent, 1);
    expect(await viewOf(agent)).toMatchObject({ via: 'direct', reachable: true });

    await gate.set('closed');
    await eventually('it is away: no engine runs', async () => (await viewOf(agent))?.reachable === false);
    agent.fake.setWayOut({ address: '127.0.0.1', port: engine.port, type: 'mixed' });
    await eventually('it is reached through the engine', async () => (await viewOf(agent))?.via === 'engine');
    await eventually('and so is the socket', () => engine.targets.length > 1 && manager.sockets.size === 1);
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);

    await gate.set('open');
    laterMs = 600_000;
    await eventually('it is reached directly again', async () => (await viewOf(agent))?.via === 'direct');
    const through = engine.targets.length;
    manager.publish(testManifest(id, 3, three), [three]);
    await untilRuns(agent, 3);
    expect(engine.targets.length).toBe(through);
  }, 30_000);

  test('an answer that says no is an answer: no other way is tried', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock, certificates: await openTls() });
    await bench.join(manager);
    await using engine = await openProxy({ type: 'http', onwardPort: portOf(manager.url) });
    manager.fault = 'error';
    await using agent = await bench.start(bench.settings({ manager: { via: 'auto' } }));
    agent.fake.setWayOut({ address: '127.0.0.1', port: engine.port, type: 'mixed' });
    await eventually('it was asked again', async () => ((await viewOf(agent))?.tries ?? 0) > 3);
    expect(engine.targets).toEqual([]);
  });

  test('nothing that is not encrypted goes through an engine', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await bench.join(manager);
    await using engine = await openProxy({ type: 'http', onwardPort: portOf(manager.url) });
    const settings = bench.settings({ manager: { urls: ['http://127.0.0.1:1'], via: 'auto' } });
    await using agent = await bench.start(settings);
    agent.fake.setWayOut({ address: '127.0.0.1', port: engine.port, type: 'mixed' });
    await eventually('it was tried', async () => ((await viewOf(agent))?.tries ?? 0) > 3);
    expect(engine.targets).toEqual([]);
  });
});

describe('the key of this server', () => {
  const rotate = async (agent: TestAgent) =>
    await createClient(localRoutes, socketTransport(agent.socketFile)).rotateKey({});
  const keyAt = (manager: ManagerDouble, id: string): string | undefined => manager.servers.get(id)?.keyid;

  test('is replaced while the agent goes on, and the next start uses the new one', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    const before = keyAt(manager, id);
    manager.publish(testManifest(id, 1, one), [one]);
    {
      await using agent = await bench.start(bench.settings({ sync: { socket: true } }));
      await untilRuns(agent, 1);
      const { keyid } = await rotate(agent);
      expect(keyid).not.toBe(before);
      expect(keyAt(manager, id)).toBe(keyid);
      manager.publish(testManifest(id, 2, two), [two]);
      await untilRuns(agent, 2);
      expect((await viewOf(agent))?.reachable).toBe(true);
    }
    await using agent = await bench.start();
    await eventually('it is believed', async () => (await viewOf(agent))?.reachable === true);
  });

  test('scenario 26: an answer that is lost, and a restart: the next key is in use all the same', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    const before = keyAt(manager, id);
    manager.publish(testManifest(id, 1, one), [one]);
    {
      await using agent = await bench.start();
      await untilRuns(agent, 1);
      manager.fault = 'lost-answer';
      await expect(rotate(agent)).rejects.toMatchObject({ code: expect.stringMatching(/./) });
      expect(manager.candidates.size + Number(keyAt(manager, id) !== before)).toBe(1);
    }
    manager.fault = undefined;
    await using agent = await bench.start();
    await eventually('the next key is in use', () => manager.candidates.size === 0 && keyAt(manager, id) !== before);
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
  });
});

test('an order of a newer manager is followed as far as it is known, and the rest is told', async () => {
  await using bench = await openBench();
  await using manager = await startManagerDouble({ clock });
  const { server_id: id } = await bench.join(manager);
  manager.publish({ ...testManifest(id, 1, one), mood: 'good' } as never, [one]);
  await using agent = await bench.start();
  await untilRuns(agent, 1);
  expect(agent.fake.offered[0]?.unsupported).toEqual(['mood']);
  await eventually('the features are told', () => manager.statuses.at(-1)?.agent.features?.includes('loose-manifest'));
});
