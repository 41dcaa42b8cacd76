import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { RunProgram } from '../src/features/configs/engine-check.ts';
import { codeOf, joinAgent, openManager, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1, password = 'example-password') =>
  `trojan://${password}@192.0.2.${host}:443?sni=example.test#${name}`;
const engine = { engine: { path: path.join(import.meta.dirname, '../../../.tools/bin/sing-box') } };
const params = { id: 'home' };
const anyRevision = { 'if-match': '*' };

async function openHome(...how: Parameters<typeof openManager>): Promise<TestManager> {
  const manager = await openManager(...how);
  const text = [link('One', 1), link('Two', 2)].join('\n');
  await manager.client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  await manager.client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  return manager;
}

const setText = async ({ client }: TestManager, ...links: string[]) =>
  await client.subscriptions.update({
    params: { id: 'demo' },
    headers: anyRevision,
    body: { source: { type: 'inline', text: links.join('\n') } },
  });

/** The change itself makes a version in the background; this waits for it and does no more. */
async function untilVersion({ client }: TestManager, version: number): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) if ((await client.configs.get({ params })).version === version) return;
  throw new Error(`no version ${version}`);
}

describe('generating', () => {
  test('makes no version of what is there already', async () => {
    await using manager = await openHome();
    const { client } = manager;
    expect(await client.configs.generate({ params, body: {} })).toMatchObject({
      created: false,
      version: { version: 1 },
    });
    const settings = { log_level: 'info' };
    await client.configs.update({ params, headers: anyRevision, body: { settings } });
    const { created, version } = await client.configs.generate({ params, body: { message: 'louder' } });
    expect({ created, ...version }).toMatchObject({
      created: true,
      version: 2,
      message: 'louder',
      author: 'admin',
      nodes: 2,
    });
    expect(version.digest).not.toBe((await client.configs.version({ params: { id: 'home', version: 1 } })).digest);
  });

  test('follows a subscription that changed, and says when it cannot', async () => {
    await using manager = await openHome();
    await setText(manager, link('One', 1), link('Three', 3));
    await untilVersion(manager, 2);
    const { client } = manager;
    const diff = await client.configs.diff({ params: { id: 'home', version: 2 } });
    expect(diff).toMatchObject({ from: 1, to: 2, outbounds: { added: ['Three'], removed: ['Two'] } });
    expect(diff.text).toContain('+++ version 2');
    expect(diff.text).not.toContain('example-password');
    expect((await client.configs.versions({ params, query: { limit: 1 } })).items).toMatchObject([
      { version: 2, author: 'manager', message: 'subscription demo changed' },
    ]);
  });

  test('makes up for a change that nothing followed because the manager died', async () => {
    let isDying = false;
    const died = Promise.withResolvers<void>();
    const run: RunProgram = async (_file, [command]) => {
      if (command === 'version') return { code: 0, stdout: 'sing-box version 1.14.4\n', stderr: '' };
      if (isDying) {
        died.resolve();
        throw new Error('killed');
      }
      return await Promise.resolve({ code: 0, stdout: '', stderr: '' });
    };
    await using manager = await openHome({ engine: { path: 'sing-box' } }, { run });
    isDying = true;
    await setText(manager, link('One', 1), link('Three', 3));
    await died.promise;
    isDying = false;
    expect(await manager.client.configs.get({ params })).toMatchObject({ version: 1 });
    await manager.restart();
    await untilVersion(manager, 2);
    // Once followed, it is not followed again: what people brought back stays.
    await manager.client.configs.rollback({ params, body: { version: 1 } });
    await manager.restart();
    await manager.client.configs.validate({ params });
    expect(await manager.client.configs.get({ params })).toMatchObject({ version: 3 });
  });

  test('names a changed secret and does not show it', async () => {
    await using manager = await openHome();
    await setText(manager, link('One', 1), link('Two', 2, 'other-password'));
    await untilVersion(manager, 2);
    const { outbounds, text } = await manager.client.configs.diff({ params: { id: 'home', version: 2 } });
    expect(outbounds.changed).toEqual([{ tag: 'Two', fields: ['password'] }]);
    expect(text).not.toMatch(/other-password|example-password/);
  });

  test('renders for the engine of each server', async () => {
    await using manager = await openHome();
    await joinAgent(manager, 'edge');
    await manager.client.configs.deploy({ params, body: {} });
    await manager.client.configs.update({ params, headers: anyRevision, body: { settings: { log_level: 'info' } } });
    const { version } = await manager.client.configs.generate({ params, body: {} });
    expect(version.renditions.map(({ profile }) => profile.split(' ')[1])).toEqual(['1.12', '1.14']);
  });

  test('is not held up by one server whose engine nothing can be rendered for', async () => {
    await using manager = await openHome();
    const agent = await joinAgent(manager, 'edge');
    await manager.client.configs.deploy({ params, body: {} });
    await agent.commit();
    await agent.say({ engines: [{ kind: 'sing-box', version: '1.9.0', tags: [] }] });
    await manager.client.configs.update({ params, headers: anyRevision, body: { settings: { log_level: 'info' } } });
    const { version } = await manager.client.configs.generate({ params, body: {} });
    expect(version).toMatchObject({ version: 2, renditions: [{ profile: expect.stringContaining('1.12') }] });
    expect(await codeOf(manager.client.configs.deploy({ params, body: {} }))).toBe('engine.too-old');
  });

  test('leaves nothing behind when it is not possible', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const create = async (body: Parameters<typeof client.configs.create>[0]['body']) =>
      await codeOf(client.configs.create({ body }));
    expect(await create({ name: 'home', subscriptions: ['demo'] })).toBe('config.exists');
    expect(await create({ name: 'x', subscriptions: ['none'] })).toBe('subscription.not-found');
    const twice = [{ listen_port: 2080 }, { listen_port: 2080, tag: 'second' }];
    expect(await create({ name: 'x', subscriptions: ['demo'], settings: { inbounds: twice } })).toBe('config.invalid');
    expect((await client.configs.list({})).items.map(({ name }) => name)).toEqual(['home']);
  });
});

describe('rolling back', () => {
  test('makes a new version from the inputs of an old one', async () => {
    await using manager = await openHome();
    await setText(manager, link('One', 1), link('Three', 3));
    await untilVersion(manager, 2);
    const { client } = manager;
    const back = await client.configs.rollback({ params, body: { version: 1, message: 'back' } });
    expect(back).toMatchObject({ version: 3, rollback_of: 1, message: 'back', snapshots: [{ version: 1 }] });
    const first = await client.configs.version({ params: { id: 'home', version: 1 } });
    expect(back.digest).toBe(first.digest);
    expect(back.renditions).toEqual(first.renditions);
    expect((await client.configs.export({ params })).etag).toBe(`"${first.renditions[0]?.digest}"`);
    expect(await codeOf(client.configs.rollback({ params, body: { version: 9 } }))).toBe('config.version-not-found');
  });
});

test('what a version was made from is never made up: without a snapshot it cannot be brought back', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const source = { type: 'inline' as const, text: link('Extra', 9) };
  await client.subscriptions.add({ body: { name: 'extra', source } });
  const recipe = async (...subscriptions: string[]) => {
    await client.configs.update({ params, headers: anyRevision, body: { subscriptions } });
    return (await client.configs.generate({ params, body: {} })).version.version;
  };
  expect(await recipe('demo', 'extra')).toBe(2);
  expect(await recipe('demo')).toBe(3);
  await client.subscriptions.remove({ params: { id: 'extra' }, headers: anyRevision });
  expect(await codeOf(client.configs.rollback({ params, body: { version: 2 } }))).toBe(
    'subscription.version-not-found',
  );
  expect(await client.configs.rollback({ params, body: { version: 1 } })).toMatchObject({ version: 4, nodes: 2 });
});

describe('checking', () => {
  test('asks the engine that stands beside the manager', async () => {
    await using manager = await openHome(engine);
    const { client } = manager;
    expect(await client.configs.validate({ params })).toEqual({
      valid: true,
      nodes: 2,
      left_out: [],
      warnings: [],
      findings: [],
      policies: [],
      engine_check: { ok: true, message: '' },
    });
    expect((await client.system.status()).engine).toMatchObject({ version: '1.14.4' });
    const { bytes } = await client.configs.export({ params });
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toMatchObject({ inbounds: [{ listen_port: 2080 }] });
  });

  test('finds what the engine would not', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const inbounds = [{ listen_port: 2080 }, { listen_port: 2080, tag: 'second' }];
    await client.configs.update({ params, headers: anyRevision, body: { settings: { inbounds } } });
    const { valid, findings, engine_check } = await client.configs.validate({ params });
    expect({ valid, engine_check }).toEqual({ valid: false, engine_check: null });
    expect(findings).toMatchObject([{ code: 'port.duplicate' }]);
    expect(await codeOf(client.configs.generate({ params, body: {} }))).toBe('config.invalid');
  });
});

test('a config that servers run cannot be deleted', async () => {
  await using manager = await openHome();
  const { client } = manager;
  await joinAgent(manager, 'edge');
  await client.configs.deploy({ params, body: {} });
  expect(await codeOf(client.configs.remove({ params, headers: anyRevision }))).toBe('config.in-use');
  await client.servers.remove({ params: { id: 'edge' }, headers: anyRevision });
  await client.configs.remove({ params, headers: anyRevision });
  expect(await codeOf(client.configs.get({ params }))).toBe('config.not-found');
});

test('who may not move servers cannot have versions deployed by themselves', async () => {
  await using manager = await openHome();
  const { token } = await manager.client.tokens.create({ body: { name: 'bert', role: 'operator' } });
  const bert = manager.clientOf(token);
  const recipe = { name: 'second', subscriptions: ['demo'] };
  expect(await codeOf(bert.configs.create({ body: { ...recipe, auto_deploy: true } }))).toBe('auth.forbidden');
  await bert.configs.create({ body: recipe });
  const change = { params: { id: 'second' }, headers: anyRevision };
  expect(await codeOf(bert.configs.update({ ...change, body: { auto_deploy: true } }))).toBe('auth.forbidden');
  expect(await codeOf(bert.configs.replace({ ...change, body: { ...recipe, auto_deploy: true } }))).toBe(
    'auth.forbidden',
  );
  await manager.client.configs.update({ ...change, body: { auto_deploy: true } });
  const kept = await bert.configs.update({ ...change, body: { auto_deploy: true, tests_block: false } });
  expect(kept).toMatchObject({ auto_deploy: true, tests_block: false });
  expect((await bert.configs.update({ ...change, body: { auto_deploy: false } })).auto_deploy).toBe(false);
});
