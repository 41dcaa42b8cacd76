import { describe, expect, test } from '@jest/globals';
import type { FreezeWindow } from '@sbox/protocol';
import { codeOf, joinAgent, openManager, problemOf, type TestAgent, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1) => `trojan://example-password@192.0.2.${host}:443#${name}`;
const anyRevision = { 'if-match': '*' };
const hourMs = 3_600_000;

const now = (aheadMs = 0): string => new Date(Date.now() + aheadMs).toISOString();
const frozenNow = (): FreezeWindow => ({ name: 'fair', reason: 'the fair', from: now(-hourMs), to: now(hourMs) });

/** Asks until the answer fits. */
async function until<T>(ask: () => Promise<T>, fits: (found: T) => boolean): Promise<T> {
  for (let turn = 0; turn < 4000; turn += 1) {
    const found = await ask();
    if (fits(found)) return found;
  }
  throw new Error(`it never fits: ${JSON.stringify(await ask())}`);
}

/** A config, an environment `prod`, and agents in it. */
async function openFleet(names: readonly string[]) {
  const manager = await openManager({});
  const { client } = manager;
  await client.environments.create({ body: { name: 'prod' } });
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: link('One') } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const agents: TestAgent[] = [];
  for (const name of names) {
    agents.push(await joinAgent(manager, name));
    const params = { id: name };
    await client.servers.update({ params, headers: anyRevision, body: { environment: 'prod' } });
  }
  const freeze = async (freezes: FreezeWindow[]) =>
    await client.environments.update({
      params: { name: 'prod' },
      headers: anyRevision,
      body: { freezes },
    });
  const deploy = async (body: object = {}) =>
    await client.configs.deploy({ params: { id: 'home' }, body: { servers: [...names], ...body } });
  return {
    manager,
    client,
    agents,
    freeze,
    deploy,
    [Symbol.asyncDispose]: async () => await manager[Symbol.asyncDispose](),
  };
}

const eventTypes = async ({ client }: Pick<TestManager, 'client'>, type: string): Promise<string[]> =>
  (await client.events.list({ query: { type } })).items.map((event) => event.type);

describe('environments', () => {
  test('are made, changed by who saw them last, and deleted when nothing is in them', async () => {
    await using manager = await openManager({});
    const { environments, servers, joinTokens, events } = manager.client;
    const made = await environments.create({ body: { name: 'prod', color: 'red' } });
    expect(made).toMatchObject({ name: 'prod', description: '', color: 'red', freezes: [], frozen: null, servers: 0 });
    expect(await codeOf(environments.create({ body: { name: 'prod' } }))).toBe('environment.exists');
    const params = { name: 'prod' };
    const headers = { 'if-match': `"${made.revision}"` };
    const edited = await environments.update({ params, headers, body: { description: 'customers' } });
    expect(edited).toMatchObject({ description: 'customers', color: 'red', revision: 2 });
    expect(await codeOf(environments.update({ params, headers, body: { color: 'none' } }))).toBe('precondition.failed');
    // The same again is no change.
    const same = await environments.update({ params, headers: anyRevision, body: { description: 'customers' } });
    expect(same.revision).toBe(2);

    await servers.add({ body: { name: 'island', environment: 'prod' } });
    const token = await joinTokens.create({ body: { name: 'next', environment: 'prod' } });
    expect(await environments.get({ params })).toMatchObject({ servers: 1 });
    const used = await problemOf(environments.remove({ params, headers: anyRevision }));
    expect(used).toMatchObject({ code: 'environment.in-use', details: { servers: ['island'], join_tokens: ['next'] } });
    await servers.update({ params: { id: 'island' }, headers: anyRevision, body: { environment: null } });
    expect(await codeOf(environments.remove({ params, headers: anyRevision }))).toBe('environment.in-use');
    await joinTokens.remove({ params: { id: token.id } });
    await environments.remove({ params, headers: anyRevision });
    expect(await codeOf(environments.get({ params }))).toBe('environment.not-found');
    const { items } = await events.list({ query: { type: 'environment.' } });
    expect(items.map(({ type, data }) => [type, data])).toEqual([
      ['environment.deleted', { name: 'prod' }],
      ['environment.edited', { name: 'prod', changed: ['description'] }],
      ['environment.created', { name: 'prod' }],
    ]);
  });

  test('nothing stands in one that is not there', async () => {
    await using manager = await openManager({});
    const { servers, joinTokens } = manager.client;
    const codes = [
      await codeOf(servers.add({ body: { name: 'a', environment: 'prod' } })),
      await codeOf(joinTokens.create({ body: { environment: 'prod' } })),
    ];
    await servers.add({ body: { name: 'a' } });
    const moved = servers.update({ params: { id: 'a' }, headers: anyRevision, body: { environment: 'prod' } });
    expect([...codes, await codeOf(moved)]).toEqual(
      codes.concat('environment.not-found').fill('environment.not-found'),
    );
    expect(await servers.list({ query: { environment: 'prod' } })).toMatchObject({ items: [] });
  });

  test('windows that cannot be are refused, with where', async () => {
    await using manager = await openManager({});
    const { environments } = manager.client;
    const week = { days: ['mon'], from: '18:00', to: '08:00', time_zone: 'UTC' };
    const once = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    for (const window of [
      { ...week, time_zone: 'Europe/Nowhere' },
      { ...week, from: '24:00' },
      { ...week, days: [] },
      { ...once, to: once.from },
      { ...once, from: '2026-01-01T00:00' },
      { ...once, every: 'year' },
      { ...once, reason: ' ' },
    ]) {
      const freezes = [{ name: 'w', reason: 'r', ...window }] as never;
      const refused = await problemOf(environments.create({ body: { name: 'prod', freezes } }));
      expect(refused).toMatchObject({ code: 'request.invalid', message: expect.stringContaining('freezes') });
    }
    const freezes = [frozenNow(), frozenNow()];
    expect(await codeOf(environments.create({ body: { name: 'prod', freezes } }))).toBe('request.invalid');
    expect(await environments.list({})).toMatchObject({ items: [] });
  });

  test('deployers freeze, operators only see it', async () => {
    await using manager = await openManager({});
    const as = async (role: 'operator' | 'deployer') =>
      manager.clientOf((await manager.client.tokens.create({ body: { name: role, role } })).token);
    const [operator, deployer] = [await as('operator'), await as('deployer')];
    expect(await codeOf(operator.environments.create({ body: { name: 'prod' } }))).toBe('auth.forbidden');
    await deployer.environments.create({ body: { name: 'prod', freezes: [frozenNow()] } });
    const { items } = await operator.environments.list({});
    expect(items).toMatchObject([{ name: 'prod', frozen: { name: 'fair', reason: 'the fair' } }]);
  });
});

describe('in a frozen environment', () => {
  test('nothing is deployed, and the answer says what is in the way until when', async () => {
    await using fleet = await openFleet(['a', 'b']);
    await fleet.client.servers.add({ body: { name: 'free' } });
    const window = frozenNow();
    await fleet.freeze([window]);
    const refused = await problemOf(fleet.deploy({ servers: ['free', 'a', 'b'] }));
    expect(refused).toMatchObject({
      code: 'environment.frozen',
      message: expect.stringContaining('the fair'),
      details: {
        environments: [{ name: 'prod', window: 'fair', reason: 'the fair', until: 'to' in window ? window.to : '' }],
        servers: ['a', 'b'],
      },
    });
    for (const choice of [{ environment: 'prod' }, { selector: '!canary' }])
      expect(await problemOf(fleet.deploy({ servers: undefined, ...choice }))).toMatchObject({
        code: 'environment.frozen',
        details: { servers: ['a', 'b'] },
      });
    expect(await fleet.client.deployments.list({})).toMatchObject({ items: [] });
    // As a whole: nothing was told to the others.
    expect(await fleet.client.servers.get({ params: { id: 'free' } })).toMatchObject({ desired: null });
    expect(await fleet.deploy({ servers: ['free'] })).toMatchObject({ state: 'succeeded', override_freeze: null });
  });

  test('a person deploys in spite of it with a reason, which is kept, and so is a rollback', async () => {
    await using fleet = await openFleet(['a']);
    await fleet.freeze([frozenNow()]);
    expect(await codeOf(fleet.deploy({ override_freeze: ' ' }))).toBe('request.invalid');
    const override_freeze = 'a hole in the engine';
    const { id } = await fleet.deploy({ override_freeze });
    await fleet.agents[0]?.commit();
    const done = await until(
      async () => await fleet.client.deployments.get({ params: { id } }),
      ({ state }) => state === 'succeeded',
    );
    expect(done).toMatchObject({ override_freeze });
    const { items } = await fleet.client.events.list({ query: { type: 'deployment.started' } });
    expect(items[0]?.data).toMatchObject({ override_freeze });
    const audit = await fleet.client.audit.list({ query: { action: 'deployConfig' } });
    expect(JSON.stringify(audit.items[0]?.change)).toContain(override_freeze);

    const { version } = await fleet.client.configs.rollback({ params: { id: 'home' }, body: { version: 1 } });
    expect(await codeOf(fleet.deploy({ version }))).toBe('environment.frozen');
    expect(await fleet.deploy({ version, override_freeze })).toMatchObject({ version, override_freeze });
  });

  test('what would be deployed by itself waits for the end, also over a restart', async () => {
    await using fleet = await openFleet(['a']);
    const { client, manager } = fleet;
    const [agent] = fleet.agents as [TestAgent];
    await client.configs.update({ params: { id: 'home' }, headers: anyRevision, body: { auto_deploy: true } });
    await fleet.deploy();
    await agent.commit();
    await fleet.freeze([frozenNow()]);
    const params = { id: 'demo' };
    const body = { source: { type: 'inline', text: `${link('One')}\n${link('Two', 2)}` } } as const;
    await client.subscriptions.update({ params, headers: anyRevision, body });
    await client.subscriptions.refresh({ params });
    const held = await until(
      async () => (await client.events.list({ query: { type: 'deployment.held' } })).items,
      ({ length }) => length > 0,
    );
    expect(held[0]?.data).toMatchObject({ version: 2, detail: expect.stringContaining('the fair') });
    const heldVersion = async () => (await client.configs.get({ params: { id: 'home' } })).held_version;
    expect(await heldVersion()).toBe(2);
    await manager.restart();
    expect(await client.servers.get({ params: { id: 'a' } })).toMatchObject({ desired: { version: 1 } });
    await fleet.freeze([]);
    await until(
      async () => await client.servers.get({ params: { id: 'a' } }),
      ({ desired }) => desired?.version === 2,
    );
    expect(await eventTypes(fleet, 'deployment.held')).toHaveLength(1);
    await until(heldVersion, (found) => found === null);
  }, 30_000);

  test('a deployment that is on its way stops before the next server, and goes on at the end', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const [first, second] = fleet.agents as [TestAgent, TestAgent];
    const { id } = await fleet.deploy({ servers: undefined, environment: 'prod' });
    const window = frozenNow();
    await fleet.freeze([window]);
    const heldBy = async () => (await fleet.client.deployments.get({ params: { id } })).held;
    // Nobody is to be told anything yet.
    expect(await heldBy()).toBeNull();
    await first.commit();
    const states = async () =>
      (await fleet.client.deployments.get({ params: { id } })).servers.map(({ state }) => state).join(' ');
    await until(states, (found) => found === 'committed waiting');
    expect(await codeOf(second.manifest())).toBe('server.not-assigned');
    const held = { environments: ['prod'], reason: 'the fair', until: 'to' in window ? window.to : '' };
    expect(await heldBy()).toEqual(held);
    expect((await fleet.client.deployments.list({})).items).toMatchObject([{ id, held }]);
    await fleet.freeze([]);
    await until(states, (found) => found === 'committed sent');
    expect(await heldBy()).toBeNull();
  }, 30_000);

  test('a server that was refused goes back by itself', async () => {
    await using fleet = await openFleet(['a']);
    const [agent] = fleet.agents as [TestAgent];
    await fleet.deploy();
    await fleet.freeze([frozenNow()]);
    await agent.refuse();
    await until(
      async () => await eventTypes(fleet, 'deployment.halted'),
      ({ length }) => length === 1,
    );
  });
});
