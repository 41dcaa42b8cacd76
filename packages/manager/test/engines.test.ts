import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { operatorContract } from '@sbox/protocol';
import type { ManagerOverrides } from '../src/manager.ts';
import { engineProgram, type ProgramShape } from './engine-program.ts';
import { codeOf, joinAgent, openManager, type TestAgent, type TestManager } from './open-manager.ts';

const link = 'trojan://example-password@192.0.2.1:443#One';
const filesOf = async (manager: TestManager): Promise<string[]> =>
  (await readdir(path.join(manager.directory, 'data', 'engines', 'sha256'))).toSorted();

async function openFleet(names: readonly string[] = ['a'], overrides: ManagerOverrides = {}) {
  const manager = await openManager({}, overrides);
  const { client } = manager;
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: link } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const agents: TestAgent[] = [];
  for (const name of names) agents.push(await joinAgent(manager, name));
  const add = async (shape: ProgramShape = {}, query: { version?: string; tags?: string } = {}) => {
    const { bytes } = engineProgram(shape);
    return await client.engines.add({ query, body: bytes });
  };
  const deploy = async (how: { engine?: string; version?: number; confirm?: string; servers?: string[] } = {}) =>
    await client.configs.deploy({ params: { id: 'home' }, body: { servers: [...names], ...how } });
  const [agent] = agents as [TestAgent];
  const unit = async (of = agent) => (await of.manifest())?.manifest.units[0];
  return {
    manager,
    client,
    agents,
    agent,
    add,
    deploy,
    unit,
    [Symbol.asyncDispose]: async () => await manager[Symbol.asyncDispose](),
  };
}

describe('a program', () => {
  test('is kept by digest as a file, with what it says of itself, once', async () => {
    await using fleet = await openFleet();
    const { bytes, digest } = engineProgram();
    const made = await fleet.client.engines.add({ query: {}, body: bytes });
    expect(made).toMatchObject({
      digest,
      kind: 'sing-box',
      version: '1.14.4',
      arch: 'x64',
      size: bytes.length,
      tags: ['with_quic', 'with_clash_api'],
      servers: [],
    });
    expect(await fleet.client.engines.add({ query: {}, body: bytes })).toEqual(made);
    expect(await filesOf(fleet.manager)).toEqual([digest.slice(7)]);
    await fleet.add({ arch: 'arm64' });
    await fleet.manager.restart();
    const { items } = await fleet.client.engines.list({});
    expect(items.map(({ version, arch }) => `${version} ${arch}`).toSorted()).toEqual(['1.14.4 arm64', '1.14.4 x64']);
    await fleet.client.engines.remove({ params: { digest } });
    expect(await filesOf(fleet.manager)).not.toContain(digest.slice(7));
    expect(await codeOf(fleet.client.engines.remove({ params: { digest } }))).toBe('engine.build-not-found');
    const { items: events } = await fleet.client.events.list({ query: { type: 'engine.' } });
    expect(events.map(({ type }) => type)).toEqual(['engine.removed', 'engine.added', 'engine.added']);
  });

  test('is kept once however many bring it at the same time', async () => {
    await using fleet = await openFleet([]);
    const { bytes, digest } = engineProgram();
    const same = await Promise.all(
      [1, 2, 3].map(async () => await fleet.client.engines.add({ query: {}, body: bytes })),
    );
    expect(same.map((build) => build.digest)).toEqual([digest, digest, digest]);
    const others = ['b', 'c', 'd'].map(async (salt) => await codeOf(fleet.add({ salt, version: '1.15.0' })));
    expect((await Promise.all(others)).toSorted()).toEqual(['engine.exists', 'engine.exists', 'none']);
    expect(await filesOf(fleet.manager)).toHaveLength(2);
  });

  test.each([
    ['of an unknown machine', { arch: 'sparc' }, 'engine.unsupported'],
    ['for another system', { os: 'windows' }, 'engine.unsupported'],
    ['that is another one', { module: 'example.com/other' }, 'engine.unsupported'],
    ['without a version', { version: '(devel)' }, 'request.invalid'],
  ])('%s is refused, and nothing of it stays', async (_, shape, code) => {
    await using fleet = await openFleet([]);
    expect(await codeOf(fleet.add(shape))).toBe(code);
    expect(await filesOf(fleet.manager)).toEqual([]);
  });

  test('gets the version and tags that who adds it says', async () => {
    await using fleet = await openFleet();
    const said = { version: '1.14.4-mine', tags: 'with_quic' };
    expect(await fleet.add({ version: '(devel)' }, said)).toMatchObject({
      version: '1.14.4-mine',
      tags: ['with_quic'],
    });
    await fleet.add();
    expect(await codeOf(fleet.add({ salt: 'x' }))).toBe('engine.exists');
    expect(await filesOf(fleet.manager)).toHaveLength(2);
  });

  test('that is cut off or too long leaves nothing, and the manager goes on', async () => {
    await using fleet = await openFleet([]);
    const token = fleet.manager.adminToken;
    const upload = async (body: ReadableStream<Uint8Array>): Promise<number | string> =>
      await fetch(`${fleet.manager.manager.url}${operatorContract.engines.add.path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
        body,
        duplex: 'half',
      }).then(
        ({ status }) => status,
        () => 'cut',
      );
    let sent = 0;
    const cut = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        if (sent > 3) controller.error(new Error('gone'));
        else controller.enqueue(new Uint8Array(100_000));
      },
    });
    expect(await upload(cut)).toBe('cut');
    const endless = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(8 * 1024 * 1024)) });
    expect([413, 'cut']).toContain(await upload(endless));
    await fleet.add();
    expect(await filesOf(fleet.manager)).toHaveLength(1);
  });

  test('is given only by who may deploy', async () => {
    await using fleet = await openFleet([]);
    const { token } = await fleet.client.tokens.create({
      body: { name: 't', permissions: ['configs:write', 'configs:read'] },
    });
    const weak = fleet.manager.clientOf(token);
    expect(await codeOf(weak.engines.add({ query: {}, body: engineProgram().bytes }))).toBe('auth.forbidden');
    expect((await weak.engines.list({})).items).toEqual([]);
  });
});

describe('a deployment with an engine', () => {
  test('names the build for the machine of each server, and renders for it', async () => {
    await using fleet = await openFleet(['a', 'b']);
    await fleet.agents[1]?.say({ agent: { version: '0.1.0', os: 'linux', arch: 'arm64', host_name: 'b' } });
    // Statuses are stored a moment after they came, at the latest when the manager stops.
    await fleet.manager.restart();
    const old = { version: '1.12.23', tags: 'with_quic,with_wireguard,with_clash_api,with_gvisor' };
    const x64 = await fleet.add(old);
    const arm64 = await fleet.add({ ...old, arch: 'arm64' });
    expect(await fleet.deploy({ engine: '1.12.23' })).toMatchObject({ engine: '1.12.23', confirm_ms: 0 });
    const unit = await fleet.unit();
    expect(unit).toMatchObject({
      engine: expect.stringContaining('>=1.12'),
      engine_build: { digest: x64.digest, size: x64.size, version: '1.12.23', arch: 'x64' },
    });
    expect((await fleet.agent.manifest())?.manifest.critical).toEqual(['engine-build']);
    await fleet.agent.commit();
    const second = fleet.agents[1] as TestAgent;
    // It is told as soon as the first one has committed.
    for (let turn = 0; (await codeOf(second.manifest())) !== 'none'; turn += 1)
      if (turn > 3000) throw new Error('it was not told');
    expect((await fleet.unit(second))?.engine_build?.digest).toBe(arm64.digest);
    const { items } = await fleet.client.engines.list({});
    expect(items.map(({ servers }) => servers)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await expect(fleet.client.engines.remove({ params: { digest: x64.digest } })).rejects.toMatchObject({
      code: 'engine.in-use',
      message: '2 servers are given it',
    });
  });

  test('keeps its program while servers that are away wait for it', async () => {
    let ms = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + ms, monotonic: () => systemClock.monotonic() + ms };
    await using fleet = await openFleet(['a'], { clock });
    const { digest } = await fleet.add();
    ms = 3_600_000;
    const { state, servers } = await fleet.deploy({ engine: '1.14.4' });
    expect([state, servers.map((server) => server.state)]).toEqual(['running', ['waiting']]);
    expect(await codeOf(fleet.client.engines.remove({ params: { digest } }))).toBe('engine.in-use');
  });

  test('of a version that is not here for a machine is refused before anything moves', async () => {
    await using fleet = await openFleet();
    expect(await codeOf(fleet.deploy({ engine: '1.14.4' }))).toBe('engine.build-not-found');
    await fleet.add({ arch: 'arm64' });
    expect(await codeOf(fleet.deploy({ engine: '1.14.4' }))).toBe('engine.build-not-found');
    expect(await codeOf(fleet.agent.manifest())).toBe('server.not-assigned');
  });

  test('stays with the config until another is asked for; a version that comes back brings its engine', async () => {
    await using fleet = await openFleet();
    const builds = [await fleet.add({ version: '1.12.23' }), await fleet.add()];
    const [first, second] = builds.map(({ digest }) => digest);
    const engine = async () => {
      await fleet.agent.commit();
      return (await fleet.unit())?.engine_build?.digest;
    };
    const id = { id: 'home' };
    await fleet.deploy({ engine: '1.12.23' });
    expect(await engine()).toBe(first);
    await fleet.client.configs.update({
      params: id,
      headers: { 'if-match': '*' },
      body: { settings: { log_level: 'error' } },
    });
    await fleet.client.configs.generate({ params: id, body: {} });
    await fleet.deploy();
    expect(await engine()).toBe(first);
    await fleet.deploy({ engine: '1.14.4' });
    expect(await engine()).toBe(second);
    const { version } = await fleet.client.configs.rollback({ params: id, body: { version: 1 } });
    await fleet.deploy();
    expect(await engine()).toBe(first);
    expect((await fleet.agent.manifest())?.manifest).toMatchObject({
      rollback_of: 1,
      units: [{ config: { version } }],
    });
    await fleet.deploy({ engine: 'own' });
    expect(await engine()).toBeUndefined();
    await fleet.client.configs.update({
      params: id,
      headers: { 'if-match': '*' },
      body: { settings: { engine_build: '1.14.4' } },
    });
    await fleet.client.configs.generate({ params: id, body: {} });
    await fleet.deploy();
    expect(await engine()).toBe(second);
    await fleet.client.configs.update({
      params: id,
      headers: { 'if-match': '*' },
      body: { settings: { engine_build: null } },
    });
    await fleet.client.configs.generate({ params: id, body: {} });
    await fleet.deploy();
    expect(await engine()).toBeUndefined();
  });

  test('the bytes go to servers that are given them, piece by piece', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const { bytes, digest } = engineProgram();
    await fleet.add();
    await fleet.deploy({ engine: '1.14.4', servers: ['a'] });
    const ask = async (range: string, of = fleet.agent, more: Record<string, string> = {}) =>
      await of.client.blob({ params: { digest }, headers: { range, ...more } });
    const first = await ask('bytes=0-999999');
    expect(first).toMatchObject({ etag: `"${digest}"`, range: `bytes 0-999999/${bytes.length}` });
    expect(Buffer.from(first.bytes ?? []).equals(bytes.subarray(0, 1_000_000))).toBe(true);
    const last = await ask(`bytes=${bytes.length - 5}-${bytes.length + 99}`);
    expect(Buffer.from(last.bytes ?? []).equals(bytes.subarray(-5))).toBe(true);
    expect(await codeOf(ask(`bytes=${bytes.length}-`))).toBe('request.invalid');
    expect(await codeOf(ask('bytes=-5'))).toBe('request.invalid');
    expect(await codeOf(ask('bytes=0-9', fleet.agent, { 'if-range': '"other"' }))).toBe('request.invalid');
    expect(await codeOf(ask('bytes=0-9', fleet.agents[1]))).toBe('blob.not-found');
    expect(await codeOf(fleet.agent.client.blob({ params: { digest } }))).toBe('request.invalid');
    const config = (await fleet.unit())?.config.digest ?? '';
    const piece = await fleet.agent.client.blob({ params: { digest: config }, headers: { range: 'bytes=1-4' } });
    const whole = await fleet.agent.client.blob({ params: { digest: config } });
    expect(piece.bytes).toEqual(whole.bytes?.subarray(1, 5));
  });
});

test('what a recipe says of reloads and probes reaches the order, and so does a time to confirm', async () => {
  await using fleet = await openFleet();
  const probes = [{ id: 'out', type: 'tcp' as const, address: '192.0.2.1:443', every_ms: 5000 }];
  const headers = { 'if-match': '*' };
  const change = async (settings: Record<string, unknown>) =>
    await fleet.client.configs.update({ params: { id: 'home' }, headers, body: { settings } });
  await change({ probes, reload: 'in-place' });
  expect(await codeOf(change({ probes: [...probes, ...probes] }))).toBe('request.invalid');
  await fleet.client.configs.generate({ params: { id: 'home' }, body: {} });
  expect(await fleet.deploy({ confirm: '120s' })).toMatchObject({ confirm_ms: 120_000 });
  const order = (await fleet.agent.manifest())?.manifest;
  expect(order).toMatchObject({ confirm_ms: 120_000, critical: ['confirm'], units: [{ reload: 'in-place', probes }] });
  await fleet.agent.refuse('apply.unconfirmed');
  const { items } = await fleet.client.deployments.list({});
  const id = items[0]?.id ?? '';
  for (let turn = 0; (await fleet.client.deployments.get({ params: { id } })).state === 'running'; turn += 1)
    if (turn > 3000) throw new Error('it was not halted');
  expect(await fleet.client.deployments.get({ params: { id } })).toMatchObject({
    state: 'halted',
    reason: { code: 'apply.unconfirmed' },
  });
  expect(await codeOf(fleet.deploy({ confirm: '1s' }))).toBe('request.invalid');
});
