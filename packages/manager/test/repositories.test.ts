import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { subscriptionWriteSchema } from '@sbox/protocol';
import * as z from 'zod/mini';
import { compress, compressJson } from '../src/database/compressed.ts';
import { createStore } from '../src/database/store.ts';
import type { Config } from '../src/features/configs/configs-repository.ts';
import type { Deployment } from '../src/features/deployments/deployments-repository.ts';
import { at, config, databases, later, openStoreOn, server, subscription, versionRow } from './repository-rows.ts';

describe.each(databases)('$name', ({ open }) => {
  const openStore = async () => await openStoreOn(open);

  test('meta: values are replaced, counters count', async () => {
    await using opened = await openStore();
    const { meta } = opened.store;
    expect(await meta.get('x')).toBeUndefined();
    await meta.set('x', 'a');
    await meta.set('x', 'b');
    expect(await meta.get('x')).toBe('b');
    expect([await meta.next('n'), await meta.next('n'), await meta.next('n')]).toEqual([1, 2, 3]);
    await meta.set('m 1', 'a');
    await meta.set('m 2', 'b');
    await meta.remove('m 1', 'other');
    await meta.remove('m 2', 'b');
    expect(await meta.list('m ')).toEqual(new Map([['m 1', 'a']]));
  });

  test('subscriptions: many at once come without the text of an inline source', async () => {
    await using opened = await openStore();
    const { subscriptions } = opened.store;
    const { source } = z.parse(subscriptionWriteSchema, { name: 'a', source: { text: 'secret', type: 'inline' } });
    const url = JSON.stringify({ type: 'url', url: 'https://example.test/{"type":"inline",' });
    await subscriptions.insert(subscription('a', { source: JSON.stringify(source) }));
    await subscriptions.insert(subscription('b', { source: url }));
    const hidden = JSON.stringify({ type: 'inline', text: '***' });
    const expected = [subscription('a', { source: hidden }), subscription('b', { source: url })];
    expect(await subscriptions.list({ limit: 9, after: undefined })).toEqual(expected);
    expect(await subscriptions.findMany(['a', 'b'])).toEqual(expected);
    expect((await subscriptions.find('a'))?.source).toContain('secret');
  });

  test('subscriptions: found by id before name, listed by name, due by time', async () => {
    await using opened = await openStore();
    const { subscriptions } = opened.store;
    await subscriptions.insert(subscription('b', { next_fetch_at: later }));
    await subscriptions.insert(subscription('a', { next_fetch_at: at }));
    await subscriptions.insert(subscription('c', { name: 'b' }));
    expect((await subscriptions.find('b'))?.id).toBe('b');
    expect((await subscriptions.find('name-a'))?.id).toBe('a');
    expect(await subscriptions.find('none')).toBeUndefined();
    expect((await subscriptions.list({ limit: 1, after: undefined })).map(({ name }) => name)).toEqual(['b', 'name-a']);
    expect((await subscriptions.list({ limit: 9, after: ['name-a'] })).map(({ name }) => name)).toEqual(['name-b']);
    expect((await subscriptions.due(at, 9)).map(({ id }) => id)).toEqual(['a']);
    await subscriptions.update('a', { version: 3, next_fetch_at: null });
    expect(await subscriptions.find('a')).toEqual(subscription('a', { version: 3 }));
    expect(await subscriptions.due(later, 9)).toHaveLength(1);
    await expect(subscriptions.insert(subscription('d', { name: 'b' }))).rejects.toThrow();
    await subscriptions.remove('a');
    expect(await subscriptions.count()).toBe(2);
  });

  test('snapshots come back as they were, newest first; of the fetches the newest 200 stay', async () => {
    await using opened = await openStore();
    const { subscriptions } = opened.store;
    await subscriptions.insert(subscription('a'));
    const parsed = { nodes: [], rejected: [{ line: 1, code: 'node.malformed' as const, reason: 'ü' }] };
    for (const version of [1, 2]) {
      const row = {
        subscription_id: 'a',
        version,
        digest: 'd',
        format: 'links',
        nodes: 0,
        rejected: 1,
        created_at: at,
      };
      await subscriptions.insertVersion(row, { parsed: compressJson(parsed), content: compress('text') });
    }
    expect(await subscriptions.parsed('a', 2)).toEqual(parsed);
    expect(await subscriptions.parsed('a', 3)).toBeUndefined();
    expect((await subscriptions.content('a', 2))?.toString()).toBe('text');
    const versions = await subscriptions.listVersions('a', { limit: 5, after: undefined });
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
    for (let index = 0; index < 205; index += 1) {
      await subscriptions.insertFetch({
        id: `f${index}`,
        subscription_id: 'a',
        at,
        outcome: 'unchanged',
        version: 1,
        status: 200,
        bytes: 1,
        duration_ms: 1,
        code: null,
        detail: `fetch ${index}`,
      });
    }
    const fetches = await subscriptions.listFetches('a', { limit: 999, after: undefined });
    expect(fetches).toHaveLength(200);
    expect(fetches[0]).toMatchObject({ id: 'f204', number: 205 });
    expect([...(await subscriptions.lastFetches(['a', 'b']))]).toEqual([
      ['a', { at, outcome: 'unchanged', code: null, detail: 'fetch 204' }],
    ]);
    await subscriptions.remove('a');
    expect(await subscriptions.listFetches('a', { limit: 9, after: undefined })).toEqual([]);
  });

  test('configs: keep the order of their subscriptions, and hold on to what they use', async () => {
    await using opened = await openStore();
    const { configs, subscriptions } = opened.store;
    for (const id of ['a', 'b']) await subscriptions.insert(subscription(id));
    await configs.insert(config('c', ['b', 'a']));
    expect(await configs.find('name-c')).toEqual(config('c', ['b', 'a']));
    const change: Partial<Config> = {
      subscriptions: ['a'],
      auto_deploy: true,
      revision: 2,
      pipeline: [{ operator: 'filter', keep: { country: 'DE' } }],
      template: { name: 'tun', version: 2, params: { mtu: 1400 } },
      patch: [{ op: 'remove', path: '/dns' }],
      tests: [{ name: 'one', destination: 'example.com', expect: { outbound: 'direct' } }],
      tests_block: false,
    };
    await configs.update('c', change);
    expect(await configs.find('c')).toEqual({ ...config('c', []), ...change });
    expect([await configs.usingTemplate('tun'), await configs.usingTemplate('mixed')]).toEqual([['name-c'], []]);
    expect((await configs.using('a')).map(({ id }) => id)).toEqual(['c']);
    expect(await configs.using('b')).toEqual([]);
    await expect(subscriptions.remove('a')).rejects.toThrow();
    await configs.remove('c');
    await subscriptions.remove('a');
    expect(await configs.count()).toBe(0);
  });

  test('a join token is burned once', async () => {
    await using opened = await openStore();
    const { servers } = opened.store;
    const token = {
      id: 't',
      name: null,
      labels: { a: 'b' },
      environment: null,
      secret_sha256: 's',
      created_at: at,
      expires_at: later,
    };
    await servers.insertToken({ ...token, used_at: null, used_keyid: null, server_id: null });
    const use = { used_at: at, used_keyid: 'k', server_id: 'a' };
    expect([await servers.burnToken('t', use), await servers.burnToken('t', { ...use, used_keyid: 'z' })]).toEqual([
      true,
      false,
    ]);
    expect(await servers.findToken('t')).toEqual({ ...token, ...use });
    expect([await servers.removeToken('t'), await servers.removeToken('t')]).toEqual([true, false]);
  });

  test('servers: keys outlive them, assignments go with them', async () => {
    await using opened = await openStore();
    const { servers, configs, subscriptions } = opened.store;
    await subscriptions.insert(subscription('s'));
    await configs.insert(config('c', ['s']));
    await configs.insertVersion(versionRow('c', 1));
    await servers.insert(server('a'));
    expect(await servers.find('name-a')).toEqual(server('a'));
    await servers.insertKey({ server_id: 'a', keyid: 'k', public_key: Buffer.from('key'), created_at: at });
    const facts = { environment: 'prod', labels: { role: 'edge' } };
    for (const engine of ['', '1.14.4'])
      await servers.assign({ server_id: 'a', unit: 'main', config_id: 'c', version: 1, engine, facts });
    expect(await servers.assignments({ configId: 'c' })).toMatchObject([{ engine: '1.14.4', facts }]);
    expect(await servers.countAssigned(['c', 'other'])).toEqual(new Map([['c', 1]]));
    await expect(configs.remove('c')).rejects.toThrow();
    await servers.touch(['a'], later);
    expect(await servers.lastSeen()).toEqual([{ id: 'a', seen_at: later, is_island: true }]);
    await servers.revokeKeys('a', later);
    await servers.remove('a');
    expect(await servers.keys('a')).toMatchObject([{ revoked_at: later }]);
    expect(await servers.assignments({ configId: 'c' })).toEqual([]);
    await configs.remove('c');
  });

  test('manifests: the newest is the head, the newest 20 stay', async () => {
    await using opened = await openStore();
    const { servers } = opened.store;
    for (const id of ['a', 'b']) await servers.insert(server(id));
    for (let generation = 1; generation <= 23; generation += 1) {
      const epoch = generation < 22 ? 1 : 2;
      const etag = `e${generation}`;
      await servers.insertManifest({
        server_id: 'a',
        epoch,
        generation,
        etag,
        envelope: Buffer.from(etag),
        units: '{}',
        created_at: at,
      });
    }
    const head = await servers.manifest('a');
    expect({ ...head, envelope: Buffer.from(head?.envelope ?? []).toString() }).toMatchObject({
      epoch: 2,
      generation: 23,
      envelope: 'e23',
    });
    expect(await servers.manifest('b')).toBeUndefined();
    const recent = await servers.recentManifests('a', 99);
    expect(recent.map(({ generation }) => generation)).toEqual(Array.from({ length: 20 }, (_, index) => 23 - index));
    expect([...(await servers.heads(['a', 'b'])).values()].map(({ etag }) => etag)).toEqual(['e23']);
  });

  test('deployments: with their servers in order; in flight is what still has a verdict to give', async () => {
    await using opened = await openStore();
    const { deployments, configs, subscriptions } = opened.store;
    await subscriptions.insert(subscription('s'));
    await configs.insert(config('c', ['s']));
    const one = (server_id: string, position: number) =>
      ({ server_id, position, name: server_id, state: 'waiting', epoch: 0, generation: 0, sent_at: null }) as const;
    const deployment: Deployment = {
      id: 'd',
      config_id: 'c',
      version: 1,
      engine: '1.14.4',
      confirm_ms: 1000,
      state: 'running',
      reason: null,
      override_freeze: null,
      assignments: ['a'],
      newcomers_of: null,
      author: 'a',
      message: '',
      created_at: at,
      ended_at: null,
      servers: [one('z', 0), one('a', 1)],
    };
    await deployments.insert(deployment);
    expect(await deployments.find('d')).toEqual(deployment);
    expect(await deployments.inFlight('z')).toEqual([]);
    await deployments.updateServer('d', 'z', { state: 'sent', epoch: 1, generation: 4, sent_at: at });
    expect(await deployments.inFlight('z')).toEqual([{ deployment_id: 'd', state: 'sent', epoch: 1, generation: 4 }]);
    expect(await deployments.running('c')).toHaveLength(1);
    expect(await deployments.newest('c', 1)).toEqual({ version: 1, engine: '1.14.4' });
    expect(await deployments.newest('c', 2)).toBeUndefined();
    await deployments.leave('z');
    await deployments.leave('a');
    expect((await deployments.find('d'))?.servers.map(({ state }) => state)).toEqual(['moved', 'waiting']);
    const reason = { server_id: 'z', code: 'c', detail: 'd' };
    await deployments.end('d', { state: 'halted', reason, ended_at: later });
    expect(await deployments.running()).toEqual([]);
    expect(await deployments.inFlight('z')).toEqual([]);
    expect(await deployments.list({ limit: 5, after: undefined })).toMatchObject([{ state: 'halted', reason }]);
    expect(await deployments.list({ limit: 5, after: [at, 'd'] })).toEqual([]);
  });

  test('events: there exactly when the transaction is, numbered without a gap, removed a few at a time', async () => {
    await using opened = await openStore();
    const { store, published } = opened;
    const created = { subscription_id: 's', name: 'n' };
    await store.transaction(async (tx) => void (await tx.events.add('subscription.created', created)));
    const broken = store.transaction(async (tx) => {
      await tx.events.add('subscription.deleted', created);
      throw new Error('no');
    });
    await expect(broken).rejects.toThrow('no');
    await store.events.add('server.online', { server_id: 'a' });
    expect(published.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'subscription.created'],
      [2, 'server.online'],
    ]);
    const list = async (prefix?: string) => await store.events.list({ limit: 9, after: undefined, prefix });
    expect((await list()).map(({ seq }) => seq)).toEqual([2, 1]);
    expect(await list('subscription.')).toMatchObject([{ data: created }]);
    expect(await list('%')).toEqual([]);
    expect(await store.events.removeBefore(later, 1)).toBe(1);
    expect((await list()).map(({ seq }) => seq)).toEqual([2]);
  });

  test('a tenant sees nothing of another', async () => {
    await using opened = await openStore();
    const { store } = opened;
    const other = createStore(
      { db: opened.database.db, clock: createFakeClock(), newId: createNewId(randomBytes), published: () => {} },
      'other',
    );
    await store.subscriptions.insert(subscription('s'));
    await store.servers.insert(server('a'));
    await store.meta.set('epoch', '5');
    await other.subscriptions.insert(subscription('s', { nodes: 7 }));
    await other.subscriptions.remove('s');
    expect(await other.servers.find('a')).toBeUndefined();
    expect(await other.meta.get('epoch')).toBeUndefined();
    expect(await other.subscriptions.count()).toBe(0);
    expect(await store.subscriptions.count()).toBe(1);
  });
});
