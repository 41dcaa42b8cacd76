import { describe, expect, test } from '@jest/globals';
import { createKeyPair } from '@sbox/daemon/keys';
import { systemClock } from '@sbox/core';
import type { ManagerOverrides } from '../src/manager.ts';
import { codeOf, joinAgent, openManager, problemOf, type TestAgent, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1) => `trojan://example-password@192.0.2.${host}:443#${name}`;
const headers = { 'if-match': '*' };

/** Asks until the answer fits. */
async function until<T>(ask: () => Promise<T>, fits: (found: T) => boolean): Promise<T> {
  for (let turn = 0; turn < 6000; turn += 1) {
    const found = await ask();
    if (fits(found)) return found;
  }
  throw new Error(`it never fits: ${JSON.stringify(await ask())}`);
}

interface Place {
  readonly labels?: Record<string, string>;
  readonly environment?: string;
}

/** Joins with a token that gives labels and environment. */
async function joinAt(manager: TestManager, name: string, place: Place): Promise<TestAgent> {
  const { joinTokens } = manager.client;
  const create: typeof joinTokens.create = async () => await joinTokens.create({ body: place });
  const client = { ...manager.client, joinTokens: { ...joinTokens, create } };
  // On top of the manager itself: its address is another after a restart.
  return await joinAgent(Object.create(manager, { client: { value: client } }) as TestManager, name);
}

async function openFleet(overrides: ManagerOverrides = {}) {
  const manager = await openManager({}, overrides);
  const { client } = manager;
  await client.environments.create({ body: { name: 'prod' } });
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: link('One') } } });
  for (const [index, name] of ['home', 'work'].entries())
    await client.configs.create({
      body: { name, subscriptions: ['demo'], settings: { inbounds: [{ listen_port: 2080 + index }] } },
    });
  const edges = async (body: object = {}) =>
    await client.assignments.create({ body: { name: 'edges', selector: 'role=edge', config: 'home', ...body } });
  const label = async (id: string, labels: Record<string, string | null>) =>
    await client.servers.update({ params: { id }, headers, body: { labels } });
  const deploy = async (body: object = {}, id = 'home') => await client.configs.deploy({ params: { id }, body });
  const whole = async (id: string) => await client.deployments.get({ params: { id } });
  /** Deploys to everybody who is meant; each of them commits as soon as it is told. */
  const deployTo = async (agents: readonly TestAgent[], id = 'home') => {
    const { id: deployment } = await deploy({}, id);
    for (const agent of agents) {
      await until(
        async () => (await whole(deployment)).servers.find(({ server_id }) => server_id === agent.id)?.state,
        (state) => state !== 'waiting',
      );
      await agent.commit();
    }
    return await until(
      async () => await whole(deployment),
      ({ state }) => state !== 'running',
    );
  };
  const wanted = async (id: string) => (await client.servers.get({ params: { id } })).desired;
  return {
    manager,
    client,
    edges,
    label,
    deploy,
    deployTo,
    wanted,
    whole,
    [Symbol.asyncDispose]: async () => await manager[Symbol.asyncDispose](),
  };
}

describe('labels', () => {
  test('are set and taken off one by one, and servers are found by them', async () => {
    await using manager = await openManager({});
    const { servers } = manager.client;
    await servers.add({ body: { name: 'a', labels: { role: 'edge', canary: '' } } });
    await servers.add({ body: { name: 'b', labels: { role: 'edge', region: 'eu' } } });
    await servers.add({ body: { name: 'c' } });
    const found = async (selector: string) =>
      (await servers.list({ query: { selector } })).items.map(({ name }) => name).join(' ');
    expect([await found('role=edge,!canary'), await found('!role'), await found('')]).toEqual(['b', 'c', 'a b c']);
    const params = { id: 'a' };
    const edited = await servers.update({ params, headers, body: { labels: { canary: null, region: 'us' } } });
    expect(edited).toMatchObject({ labels: { role: 'edge', region: 'us' }, revision: 2 });
    expect(await found('region in (eu,us)')).toBe('a b');
    const { items, next_cursor } = await servers.list({ query: { selector: 'role', limit: 1 } });
    expect(items.map(({ name }) => name)).toEqual(['a']);
    const next = await servers.list({ query: { selector: 'role', limit: 1, cursor: next_cursor ?? '' } });
    expect([next.items.map(({ name }) => name), next.next_cursor]).toEqual([['b'], null]);
    const stale = { 'if-match': '"1"' };
    expect(await codeOf(servers.update({ params, headers: stale, body: { name: 'z' } }))).toBe('precondition.failed');
    expect(await codeOf(servers.update({ params, headers, body: { name: 'b' } }))).toBe('server.exists');
    for (const labels of [{ Role: 'edge' }, { role: 'two words' }, { '': 'x' }])
      expect(await codeOf(servers.update({ params, headers, body: { labels } }))).toBe('request.invalid');
    expect(await codeOf(servers.list({ query: { selector: 'role in edge' } }))).toBe('request.invalid');
    const many = Object.fromEntries(Array.from({ length: 31 }, (_, index) => [`l${index}`, '']));
    expect(await codeOf(servers.update({ params, headers, body: { labels: many } }))).toBe('request.invalid');
    const { items: events } = await manager.client.events.list({ query: { type: 'server.edited' } });
    expect(events.map(({ data }) => data)).toMatchObject([{ name: 'a', changed: ['labels'] }]);
  });

  test('come with the token that a server joins with', async () => {
    await using fleet = await openFleet();
    await joinAt(fleet.manager, 'nl-1', { labels: { role: 'edge' }, environment: 'prod' });
    const joined = await fleet.client.servers.get({ params: { id: 'nl-1' } });
    expect(joined).toMatchObject({ labels: { role: 'edge' }, environment: 'prod' });
  });
});

describe('an assignment', () => {
  test('is made, changed by who saw it last, and deleted; what it needs stays', async () => {
    await using fleet = await openFleet();
    const { assignments, configs, environments, events } = fleet.client;
    const made = await fleet.edges({ environment: 'prod' });
    expect(made).toMatchObject({ config: 'home', unit: 'main', version: null, engine: null, servers: 0, revision: 1 });
    expect(await codeOf(fleet.edges())).toBe('assignment.exists');
    expect(await codeOf(fleet.edges({ name: 'b', config: 'none' }))).toBe('config.not-found');
    expect(await codeOf(fleet.edges({ name: 'b', environment: 'none' }))).toBe('environment.not-found');
    expect(await codeOf(fleet.edges({ name: 'b', selector: 'role in' }))).toBe('request.invalid');
    expect(await codeOf(configs.remove({ params: { id: 'home' }, headers }))).toBe('config.in-use');
    expect(await codeOf(environments.remove({ params: { name: 'prod' }, headers }))).toBe('environment.in-use');
    const params = { id: 'edges' };
    const edited = await assignments.update({ params, headers, body: { environment: null, config: 'work' } });
    expect(edited).toMatchObject({ environment: null, config: 'work', revision: 2 });
    const stale = { 'if-match': `"${made.revision}"` };
    expect(await codeOf(assignments.remove({ params, headers: stale }))).toBe('precondition.failed');
    await assignments.remove({ params, headers });
    expect(await codeOf(assignments.get({ params }))).toBe('assignment.not-found');
    const { items } = await events.list({ query: { type: 'assignment.' } });
    expect(items.map(({ type }) => type)).toEqual(['assignment.deleted', 'assignment.edited', 'assignment.created']);
    await configs.remove({ params: { id: 'home' }, headers });
    await environments.remove({ params: { name: 'prod' }, headers });
  });

  test('may not mean what another means already, whichever way that comes', async () => {
    await using fleet = await openFleet();
    const { servers, assignments, joinTokens } = fleet.client;
    await servers.add({ body: { name: 'both', labels: { role: 'edge', canary: '' } } });
    await servers.add({ body: { name: 'edge', labels: { role: 'edge' } } });
    await fleet.edges();
    const rule = { name: 'canaries', selector: 'canary', config: 'work' };
    const refused = await problemOf(assignments.create({ body: rule }));
    expect(refused).toMatchObject({
      code: 'assignment.conflict',
      message: 'edges and canaries both mean main of both',
      details: { assignments: ['edges', 'canaries'], unit: 'main', servers: ['both'] },
    });
    // Another unit is no conflict, and neither is another environment.
    await assignments.create({ body: { ...rule, name: 'side', unit: 'side' } });
    await assignments.create({ body: { ...rule, environment: 'prod' } });
    const conflict = 'assignment.conflict';
    const patch = async (id: string, body: object) => await codeOf(servers.update({ params: { id }, headers, body }));
    expect(await patch('both', { environment: 'prod' })).toBe(conflict);
    expect(await patch('both', { environment: 'prod', labels: { canary: null } })).toBe('none');
    expect(await patch('both', { labels: { canary: '' } })).toBe(conflict);
    const place = { labels: { role: 'edge', canary: '' }, environment: 'prod' };
    expect(await codeOf(servers.add({ body: { name: 'new', ...place } }))).toBe(conflict);
    expect(await codeOf(joinTokens.create({ body: place }))).toBe(conflict);
    expect(await codeOf(assignments.update({ params: { id: 'canaries' }, headers, body: { selector: '' } }))).toBe(
      conflict,
    );
    // Who may still join counts too.
    await joinTokens.create({ body: { name: 'next', labels: { only: 'token' } } });
    await assignments.create({ body: { name: 'first', selector: 'only=token', config: 'home' } });
    const second = await problemOf(assignments.create({ body: { name: 'second', selector: 'only', config: 'work' } }));
    expect(second).toMatchObject({ details: { servers: ['next'] } });
  });

  test('a config goes to the servers that are meant and to those that run it', async () => {
    await using fleet = await openFleet();
    const { client } = fleet;
    const a = await joinAt(fleet.manager, 'a', { labels: { role: 'edge' }, environment: 'prod' });
    const b = await joinAt(fleet.manager, 'b', {});
    await joinAt(fleet.manager, 'c', {});
    await fleet.deploy({ servers: ['b'] });
    await b.commit();
    await fleet.edges();
    expect(await fleet.wanted('a')).toBeNull();
    const { servers } = await fleet.deployTo([a, b]);
    expect(servers.map(({ name, state }) => [name, state])).toEqual([
      ['a', 'committed'],
      ['b', 'committed'],
    ]);
    expect(await client.assignments.get({ params: { id: 'edges' } })).toMatchObject({ version: 1, servers: 1 });
    const { items } = await client.assignments.servers({ params: { id: 'edges' } });
    const sent = { config: 'home', version: 1 };
    expect(items).toMatchObject([
      { name: 'a', meant: true, sent, state: 'healthy', environment: 'prod', labels: { role: 'edge' } },
      { name: 'b', meant: false, sent, state: 'healthy' },
    ]);
  });

  test('without servers is deployed all the same: it is what the first one gets', async () => {
    await using fleet = await openFleet();
    await fleet.edges();
    expect(await fleet.deploy()).toMatchObject({ state: 'succeeded', servers: [] });
    const joined = await joinAt(fleet.manager, 'a', { labels: { role: 'edge' } });
    await until(
      async () => await fleet.wanted('a'),
      (desired) => desired?.version === 1,
    );
    await joined.commit();
    const [newest] = (await fleet.client.deployments.list({})).items;
    expect(newest).toMatchObject({ author: 'manager', newcomers_of: expect.stringMatching(/^asg_/) });
  });
});

describe('a server that comes to be meant', () => {
  test('by a label is sent the version by itself, and keeps it when it is not meant any more', async () => {
    await using fleet = await openFleet();
    const a = await joinAt(fleet.manager, 'a', { labels: { role: 'edge' } });
    const b = await joinAt(fleet.manager, 'b', {});
    await fleet.edges();
    await fleet.deployTo([a]);
    await fleet.label('b', { role: 'edge' });
    await until(
      async () => await fleet.wanted('b'),
      (desired) => desired !== null,
    );
    const order = await b.commit();
    expect(order.units.map(({ name, config }) => [name, config.version])).toEqual([['main', 1]]);
    await fleet.label('b', { role: null });
    const { items } = await fleet.client.assignments.servers({ params: { id: 'edges' } });
    expect(items.map(({ name, meant }) => [name, meant])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(await fleet.wanted('b')).toMatchObject({ version: 1 });
  });

  test('by a wider selector is one of several: the first alone, then the rest', async () => {
    await using fleet = await openFleet();
    const agents = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => await joinAt(fleet.manager, name, { labels: { n: name } })),
    );
    await fleet.edges({ selector: 'n=a' });
    await fleet.deployTo(agents.slice(0, 1));
    const params = { id: 'edges' };
    await fleet.client.assignments.update({ params, headers, body: { selector: 'n' } });
    const bringing = async () => (await fleet.client.deployments.list({})).items.find(({ newcomers_of: of }) => of);
    const first = await until(bringing, (found) => found !== undefined);
    expect(first?.servers.map(({ state }) => state).toSorted()).toEqual(['sent', 'waiting']);
    const told = agents.find(({ id }) => first?.servers.some((one) => one.server_id === id && one.state === 'sent'));
    await told?.commit();
    await until(bringing, (found) => found?.servers.every(({ state }) => state !== 'waiting') === true);
  });

  test('while it is offline gets it when it comes back', async () => {
    let aheadMs = 0;
    await using fleet = await openFleet({ clock: { ...systemClock, now: () => systemClock.now() + aheadMs } });
    const heard = async (type: string) =>
      await until(
        async () => (await fleet.client.events.list({ query: { type } })).items,
        ({ length }) => length > 0,
      );
    await fleet.edges();
    await fleet.deploy();
    await joinAt(fleet.manager, 'late', {});
    await heard('server.online');
    aheadMs = 150_000;
    await fleet.label('late', { role: 'edge' });
    await heard('server.offline');
    expect(await fleet.wanted('late')).toBeNull();
    // As if its heartbeats had come meanwhile.
    aheadMs = 0;
    await until(
      async () => await fleet.wanted('late'),
      (desired) => desired?.version === 1,
    );
  }, 30_000);

  test('and refuses it is left alone until somebody has looked', async () => {
    await using fleet = await openFleet();
    await fleet.edges();
    await fleet.deploy();
    const a = await joinAt(fleet.manager, 'a', { labels: { role: 'edge' } });
    await until(
      async () => await fleet.wanted('a'),
      (desired) => desired !== null,
    );
    await a.refuse();
    await until(
      async () => (await fleet.client.deployments.list({})).items[0]?.state,
      (state) => state === 'halted',
    );
    // Two rounds of the loop later there is still no other deployment: the next one of somebody else proves it.
    const b = await joinAt(fleet.manager, 'b', { labels: { role: 'edge' } });
    await until(
      async () => await fleet.wanted('b'),
      (desired) => desired !== null,
    );
    await b.commit();
    const { items } = await fleet.client.deployments.list({});
    expect(items.filter(({ newcomers_of: of }) => of).map(({ servers }) => servers.map(({ name }) => name))).toEqual([
      ['b'],
      ['a'],
    ]);
  });

  test('in a frozen environment waits for the end', async () => {
    await using fleet = await openFleet();
    const { client } = fleet;
    await fleet.edges();
    await fleet.deploy();
    const from = new Date(Date.now() - 1000).toISOString();
    const to = new Date(Date.now() + 3_600_000).toISOString();
    const prod = async (freezes: object[]) =>
      await client.environments.update({ params: { name: 'prod' }, headers, body: { freezes: freezes as never } });
    await prod([{ name: 'w', reason: 'r', from, to }]);
    await joinAt(fleet.manager, 'held', { labels: { role: 'edge' }, environment: 'prod' });
    const free = await joinAt(fleet.manager, 'free', { labels: { role: 'edge' } });
    await until(
      async () => await fleet.wanted('free'),
      (desired) => desired !== null,
    );
    await free.commit();
    expect(await fleet.wanted('held')).toBeNull();
    await fleet.manager.restart();
    await prod([]);
    await until(
      async () => await fleet.wanted('held'),
      (desired) => desired?.version === 1,
    );
  }, 30_000);
});

test('a server that came to stand elsewhere before its turn in a deployment keeps what it runs', async () => {
  await using fleet = await openFleet();
  const [a, b] = [await joinAgent(fleet.manager, 'a'), await joinAgent(fleet.manager, 'b')];
  for (const name of ['a', 'b']) await fleet.label(name, { role: 'edge' });
  await fleet.edges();
  await fleet.client.configs.deploy({ params: { id: 'work' }, body: { servers: ['b'] } });
  await b.commit();
  const { id } = await fleet.deploy();
  // It waits for the verdict of the first one meanwhile.
  await fleet.label('b', { role: 'relay' });
  await a.commit();
  const ended = await until(
    async () => await fleet.client.deployments.get({ params: { id } }),
    ({ state }) => state !== 'running',
  );
  expect(ended.servers.map(({ state }) => state)).toEqual(['committed', 'moved']);
  expect(await fleet.wanted('b')).toMatchObject({ generation: 1 });
});

test('a server that comes back while others are still moved has its turn after them', async () => {
  await using fleet = await openFleet();
  const agents: TestAgent[] = [];
  for (const name of ['a', 'b', 'c']) agents.push(await joinAt(fleet.manager, name, { labels: { role: 'edge' } }));
  await fleet.edges();
  const { id } = await fleet.deploy();
  const stateOf = async (at: number) =>
    (await fleet.client.deployments.get({ params: { id } })).servers[at]?.state ?? '';
  await fleet.label('c', { role: 'relay' });
  await agents[0]?.commit();
  await until(
    async () => await stateOf(2),
    (state) => state === 'moved',
  );
  await fleet.label('c', { role: 'edge' });
  expect(await fleet.wanted('c')).toBeNull();
  await agents[1]?.commit();
  await until(
    async () => await fleet.wanted('c'),
    (desired) => desired?.version === 1,
  );
}, 30_000);

test('two configs run on one server as two units, and each is moved alone', async () => {
  await using fleet = await openFleet();
  const a = await joinAgent(fleet.manager, 'a', createKeyPair());
  await fleet.label('a', { role: 'edge' });
  await fleet.edges();
  await fleet.edges({ name: 'sides', unit: 'side', config: 'work' });
  await fleet.deployTo([a]);
  await fleet.deployTo([a], 'work');
  const order = await a.manifest();
  expect(order?.manifest.units.map(({ name }) => name)).toEqual(['main', 'side']);
  expect(await fleet.wanted('a')).toMatchObject({
    units: [
      { name: 'main', version: 1 },
      { name: 'side', version: 1 },
    ],
  });
});
