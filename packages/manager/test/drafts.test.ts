import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { codeOf, joinAgent, openManager, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1) => `trojan://very-secret-password@192.0.2.${host}:443?sni=example.test#${name}`;
const params = { id: 'home' };
const anyRevision = { 'if-match': '*' };
const at = (version: number | string) => ({ params: { id: 'home', version: String(version) } });

async function openHome(): Promise<TestManager> {
  const manager = await openManager();
  const text = [link('One', 1), link('Two', 2)].join('\n');
  await manager.client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  await manager.client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  return manager;
}

const changePort = async ({ client }: TestManager, port: number) =>
  await client.configs.update({
    params,
    headers: anyRevision,
    body: { settings: { inbounds: [{ listen_port: port }] } },
  });

describe('a draft', () => {
  test('can be shown, compared, exported and explained, is not the version of its config, and is not deployed', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const agent = await joinAgent(manager, 'edge');
    await client.configs.deploy({ params, body: {} });
    await changePort(manager, 2090);
    const draft = { params, body: { draft: true, message: 'try it' } };
    expect(await client.configs.generate(draft)).toMatchObject({
      created: true,
      version: { version: 2, state: 'draft', message: 'try it', published_at: null, published_by: null },
    });
    expect(await client.configs.generate(draft)).toMatchObject({ created: false, version: { version: 2 } });
    expect(await client.configs.get({ params })).toMatchObject({ version: 1 });
    expect((await client.configs.versions({ params })).items.map(({ state }) => state)).toEqual(['draft', 'published']);
    expect(await client.configs.diff(at(2))).toMatchObject({ from: 1, to: 2, inbounds: { changed: [{}] } });
    const text = async (query = {}) =>
      Buffer.from((await client.configs.export({ params, query })).bytes ?? []).toString();
    expect(await text({ version: 2 })).toContain('2090');
    expect(await text()).not.toContain('2090');
    const explained = await client.configs.explain({ params, body: { version: 2, destination: 'example.com:443' } });
    expect(explained.version).toBe(2);
    expect(await codeOf(client.configs.deploy({ params, body: { version: 2 } }))).toBe('config.version-draft');
    expect(await codeOf(client.configs.rollback({ params, body: { version: 2 } }))).toBe('config.version-draft');
    expect((await agent.manifest())?.manifest.units[0]?.config.version).toBe(1);
  });

  test('is published once, as it was looked at, while it is newer than what is published', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await changePort(manager, 2090);
    await client.configs.generate({ params, body: { draft: true } });
    const before = await client.configs.version(at(2));
    // The recipe goes on; the draft does not.
    await changePort(manager, 2091);
    const published = await client.configs.publish(at(2));
    expect(published).toMatchObject({
      ...before,
      state: 'published',
      published_by: 'admin',
      revision: 2,
      published_at: expect.any(String),
    });
    expect((await client.configs.get({ params })).version).toBe(2);
    expect(await codeOf(client.configs.publish(at(2)))).toBe('config.version-published');
    expect(await codeOf(client.configs.discard({ ...at(2), headers: anyRevision }))).toBe('config.version-published');

    await client.configs.generate({ params, body: { draft: true } });
    await changePort(manager, 2092);
    expect((await client.configs.generate({ params, body: {} })).version).toMatchObject({
      version: 4,
      state: 'published',
    });
    expect(await codeOf(client.configs.publish(at(3)))).toBe('config.version-outdated');
    expect(await client.configs.diff(at(4))).toMatchObject({ from: 2, to: 4 });
    const types = (await client.events.list({ query: { limit: 100 } })).items.map(({ type }) => type);
    expect(types.filter((type) => type.startsWith('config.version-')).toSorted()).toEqual([
      'config.version-created',
      'config.version-created',
      'config.version-drafted',
      'config.version-drafted',
      'config.version-published',
    ]);
  });

  test('of a config whose tests fail is made, and not published', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const tests = [
      { name: 'goes out directly', destination: 'example.com:443', expect: { verdict: 'direct' as const } },
    ];
    await client.configs.update({ params, headers: anyRevision, body: { tests } });
    expect(await codeOf(client.configs.generate({ params, body: {} }))).toBe('config.test-failed');
    expect((await client.configs.generate({ params, body: { draft: true } })).version.state).toBe('draft');
    expect(await codeOf(client.configs.publish(at(2)))).toBe('config.test-failed');
    await client.configs.update({ params, headers: anyRevision, body: { tests_block: false } });
    expect(await codeOf(client.configs.publish(at(2)))).toBe('none');
  });

  test('that is deleted gives its number to nobody, and takes its content along', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await changePort(manager, 2090);
    const { version } = await client.configs.generate({ params, body: { draft: true } });
    expect(await codeOf(client.configs.discard({ ...at(2), headers: { 'if-match': '"7"' } }))).toBe(
      'precondition.failed',
    );
    await client.configs.discard({ ...at(2), headers: { 'if-match': `"${version.revision}"` } });
    expect(await codeOf(client.configs.version(at(2)))).toBe('config.version-not-found');
    expect(await codeOf(client.configs.discard({ ...at(1), headers: anyRevision }))).toBe('config.version-published');
    await manager.restart();
    expect((await client.configs.generate({ params, body: {} })).version).toMatchObject({ version: 3 });
    expect(await client.configs.diff(at(3))).toMatchObject({ from: 1, to: 3 });
  });

  test('keeps no follower from publishing, and is never published by one', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const agent = await joinAgent(manager, 'edge');
    await client.configs.deploy({ params, body: {} });
    await agent.commit();
    await client.configs.update({ params, headers: anyRevision, body: { auto_deploy: true } });
    await changePort(manager, 2090);
    await client.configs.generate({ params, body: { draft: true } });
    await client.subscriptions.update({
      params: { id: 'demo' },
      headers: anyRevision,
      body: { source: { type: 'inline', text: link('Three', 3) } },
    });
    for (let turn = 0; turn < 300 && (await client.configs.get({ params })).version !== 3; turn += 1);
    expect(await client.configs.version(at(3))).toMatchObject({ state: 'published', author: 'manager' });
    expect(await client.configs.version(at(2))).toMatchObject({ state: 'draft' });
    for (let turn = 0; turn < 300; turn += 1) {
      const { items } = await client.deployments.list({});
      if (items.some(({ version }) => version === 3)) break;
    }
    expect((await client.deployments.list({})).items.map(({ version }) => version)).toEqual([3, 1]);
  });
});

describe('tags and notes', () => {
  test('a tag names one version, moves, and is taken wherever a version is', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await joinAgent(manager, 'edge');
    await changePort(manager, 2090);
    await client.configs.generate({ params, body: {} });
    const marked = await client.configs.mark({
      ...at(1),
      headers: { 'if-match': '"1"' },
      body: { tags: ['stable', 'blue'], notes: 'since the winter' },
    });
    expect(marked).toMatchObject({ tags: ['blue', 'stable'], notes: 'since the winter', revision: 2 });
    const moved = await client.configs.mark({ ...at(2), headers: anyRevision, body: { tags: ['stable'] } });
    expect(moved).toMatchObject({ version: 2, tags: ['stable'], notes: '' });
    expect(await client.configs.version(at('blue'))).toMatchObject({ version: 1, tags: ['blue'], revision: 3 });
    expect(await client.configs.version(at('stable'))).toMatchObject({ version: 2 });
    expect(await client.configs.diff({ ...at('stable'), query: { against: 'blue' } })).toMatchObject({
      from: 1,
      to: 2,
    });
    expect((await client.configs.deploy({ params, body: { version: 'blue' } })).version).toBe(1);
    const exported = await client.configs.export({ params, query: { version: 'stable' } });
    expect(Buffer.from(exported.bytes ?? []).toString()).toContain('2090');
    expect(await client.configs.rollback({ params, body: { version: 'blue' } })).toMatchObject({
      version: 3,
      rollback_of: 1,
    });

    const stale = client.configs.mark({ ...at('blue'), headers: { 'if-match': '"2"' }, body: { notes: 'late' } });
    expect(await codeOf(stale)).toBe('precondition.failed');
    expect(await codeOf(client.configs.version(at('gone')))).toBe('config.version-not-found');
    expect(await codeOf(client.configs.deploy({ params, body: { version: 'gone' } }))).toBe('config.version-not-found');
    for (const tag of ['7', 'latest', 'a b', '-x', ''])
      expect(await codeOf(client.configs.mark({ ...at(1), headers: anyRevision, body: { tags: [tag] } }))).toBe(
        'request.invalid',
      );
    await client.configs.mark({ ...at('blue'), headers: anyRevision, body: { tags: [] } });
    expect(await codeOf(client.configs.version(at('blue')))).toBe('config.version-not-found');
  });

  test('a tag on a draft is no way around publishing', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await joinAgent(manager, 'edge');
    await changePort(manager, 2090);
    await client.configs.generate({ params, body: { draft: true } });
    await client.configs.mark({ ...at(2), headers: anyRevision, body: { tags: ['stable'] } });
    expect(await codeOf(client.configs.deploy({ params, body: { version: 'stable' } }))).toBe('config.version-draft');
    await client.configs.publish(at('stable'));
    expect((await client.configs.deploy({ params, body: { version: 'stable' } })).version).toBe(2);
  });
});

const steps = fc.array(
  fc.record({
    what: fc.constantFrom('draft', 'generate', 'publish', 'discard', 'rollback', 'deploy', 'tag', 'restart'),
    /** Which of the versions that were ever made. */
    which: fc.nat(12),
  }),
  { minLength: 1, maxLength: 14 },
);

test('no sequence gives two versions one number, publishes an older one, or deploys a draft', async () => {
  await using manager = await openHome();
  const { client } = manager;
  await joinAgent(manager, 'edge');
  let port = 3000;
  let highest = 1;
  const digests = new Map<number, string>();
  const heed = (version: { version: number; digest: string }): void => {
    // A number belongs to one content for ever.
    expect([version.version, digests.get(version.version) ?? version.digest]).toEqual([
      version.version,
      version.digest,
    ]);
    digests.set(version.version, version.digest);
  };
  const doStep = async (what: string, number: number): Promise<void> => {
    if (what === 'draft' || what === 'generate') {
      await changePort(manager, (port += 1));
      const { created, version } = await client.configs.generate({ params, body: { draft: what === 'draft' } });
      expect([created, version.version]).toEqual([true, highest + 1]);
      highest = version.version;
      heed(version);
    } else if (what === 'publish') heed(await client.configs.publish(at(number)));
    else if (what === 'discard') await client.configs.discard({ ...at(number), headers: anyRevision });
    else if (what === 'rollback') {
      const back = await client.configs.rollback({ params, body: { version: number } });
      expect(back.version).toBe(highest + 1);
      highest = back.version;
      heed(back);
    } else if (what === 'tag')
      await client.configs.mark({ ...at(number), headers: anyRevision, body: { tags: ['it'] } });
    else if (what === 'restart') await manager.restart();
    else await client.configs.deploy({ params, body: { version: number } });
  };
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      for (const { what, which } of sequence) {
        const before = (await client.configs.get({ params })).version ?? 0;
        const code = await codeOf(doStep(what, Math.max(1, highest - which)));
        expect([
          'none',
          'config.version-not-found',
          'config.version-draft',
          'config.version-published',
          'config.version-outdated',
        ]).toContain(code);
        const now = (await client.configs.get({ params })).version ?? 0;
        expect(now).toBeGreaterThanOrEqual(before);
        const { items } = await client.configs.versions({ params, query: { limit: 1000 } });
        for (const version of items) heed(version);
        const states = new Map(items.map(({ version, state }) => [version, state]));
        expect(states.get(now)).toBe('published');
        expect(items.filter(({ tags }) => tags.includes('it')).length).toBeLessThan(2);
        const deployed = (await client.deployments.list({})).items.map(({ version }) => version);
        expect(deployed.filter((version) => states.get(version) !== 'published')).toEqual([]);
      }
    }),
    { numRuns: 12 },
  );
}, 120_000);
