import { describe, expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { signRequest } from '@sbox/daemon/signature';
import { agentRoutes, createClient, exampleStatus } from '@sbox/protocol';
import type { ManagerOverrides } from '../src/manager.ts';
import { codeOf, createTransport, joinAgent, openManager, type TestAgent, type TestManager } from './open-manager.ts';

const link = (name: string, host = 1) => `trojan://example-password@192.0.2.${host}:443#${name}`;

async function openFleet(names: readonly string[], overrides: ManagerOverrides = {}) {
  const manager = await openManager({}, overrides);
  const { client } = manager;
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: link('One') } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const agents: TestAgent[] = [];
  for (const name of names) agents.push(await joinAgent(manager, name));
  const deploy = async (servers: readonly string[] = names) =>
    await client.configs.deploy({ params: { id: 'home' }, body: { servers: [...servers] } });
  return { manager, client, agents, deploy, [Symbol.asyncDispose]: async () => await manager[Symbol.asyncDispose]() };
}

const turns = 3000;

/** Asks until the deployment is as wanted; every verdict moves it on by itself. */
async function untilDeployment(
  { client }: Pick<TestManager, 'client'>,
  id: string,
  isWanted: (states: string) => boolean,
) {
  for (let turn = 0; turn < turns; turn += 1) {
    const { state, servers, reason } = await client.deployments.get({ params: { id } });
    const states = `${state}: ${servers.map((server) => server.state).join(' ')}`;
    if (isWanted(states)) return { states, reason };
    if (turn === turns - 1) throw new Error(states);
  }
  throw new Error('unreachable');
}

describe('a deployment', () => {
  test('moves one server first, and the rest when it has committed', async () => {
    await using fleet = await openFleet(['a', 'b', 'c']);
    const { id, servers } = await fleet.deploy();
    expect(servers.map(({ state }) => state)).toEqual(['sent', 'waiting', 'waiting']);
    const [first, second, third] = fleet.agents as [TestAgent, TestAgent, TestAgent];
    expect(await codeOf(second.manifest())).toBe('server.not-assigned');
    await first.commit();
    await untilDeployment(fleet, id, (states) => states === 'running: committed sent sent');
    await second.commit();
    await third.commit();
    await untilDeployment(fleet, id, (states) => states === 'succeeded: committed committed committed');
    const { items } = await fleet.client.events.list({ query: { type: 'deployment.' } });
    expect(items.map(({ type }) => type)).toEqual(['deployment.succeeded', 'deployment.started']);
  });

  test('goes to the servers of an environment, or to those with labels, and says to which', async () => {
    await using fleet = await openFleet(['a', 'b', 'c']);
    const { client } = fleet;
    const deploy = (body: object) => client.configs.deploy({ params: { id: 'home' }, body });
    await client.environments.create({ body: { name: 'prod' } });
    const edit = (id: string, body: object) =>
      client.servers.update({ params: { id }, headers: { 'if-match': '*' }, body });
    await edit('a', { environment: 'prod', labels: { role: 'edge' } });
    await edit('b', { environment: 'prod' });
    await edit('c', { labels: { role: 'edge', canary: '' } });
    const chosen = async (choice: object) => (await deploy(choice)).servers.map(({ name }) => name);
    expect(await chosen({ environment: 'prod' })).toEqual(['a', 'b']);
    expect(await chosen({ selector: 'role=edge,!canary' })).toEqual(['a']);
    const { items } = await client.events.list({ query: { type: 'deployment.started' } });
    expect(items.map(({ data }) => data)).toMatchObject([{ selector: 'role=edge,!canary' }, { environment: 'prod' }]);
    expect(await chosen({ selector: 'role' })).toEqual(['a', 'c']);
    const refused = async (choice: object) => await codeOf(deploy(choice));
    expect(await refused({ environment: 'nowhere' })).toBe('environment.not-found');
    expect(await refused({ selector: 'role=none' })).toBe('deployment.no-servers');
    for (const choice of [{ selector: ' ' }, { selector: 'a=(' }, { environment: 'prod', selector: 'role' }])
      expect(await refused(choice)).toBe('request.invalid');
    expect(await refused({ environment: 'prod', servers: ['a'] })).toBe('request.invalid');
    await client.environments.create({ body: { name: 'empty' } });
    expect(await refused({ environment: 'empty' })).toBe('deployment.no-servers');
  });

  test('scenario 30: is halted by the first refusal, with the reason, and the others are not touched', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const { id } = await fleet.deploy();
    await fleet.agents[0]?.refuse('engine.check-failed');
    const { reason } = await untilDeployment(fleet, id, (states) => states === 'halted: refused waiting');
    expect(reason).toEqual({
      server_id: fleet.agents[0]?.id,
      code: 'engine.check-failed',
      detail: 'it will not do',
    });
    expect(await codeOf(fleet.agents[1]?.manifest() ?? Promise.resolve())).toBe('server.not-assigned');
    expect(await fleet.client.servers.get({ params: { id: 'a' } })).toMatchObject({ state: 'degraded' });
    const { items } = await fleet.client.events.list({});
    expect(items.slice(0, 2).map(({ type }) => type)).toEqual(['deployment.halted', 'server.refused']);
    // Deploying the same version again is a new generation, which lifts what the agent holds against it.
    await fleet.deploy();
    expect((await fleet.agents[0]?.manifest())?.manifest.generation).toBe(2);
  });

  test('of what a server runs already touches nothing', async () => {
    await using fleet = await openFleet(['a']);
    await fleet.deploy();
    const [agent] = fleet.agents as [TestAgent];
    const { generation } = await agent.commit();
    await untilDeployment(fleet, (await fleet.client.deployments.list({})).items[0]?.id ?? '', (states) =>
      states.startsWith('succeeded'),
    );
    const again = await fleet.deploy();
    expect(again).toMatchObject({ state: 'succeeded', servers: [{ state: 'committed', generation }] });
    expect((await agent.manifest())?.manifest.generation).toBe(generation);
  });

  test('takes the place of one that is still running: a fix does not wait for what it fixes', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const first = await fleet.deploy();
    const second = await fleet.deploy();
    expect(second.state).toBe('running');
    expect(await fleet.client.deployments.get({ params: { id: first.id } })).toMatchObject({ state: 'superseded' });
    await fleet.agents[0]?.commit();
    await untilDeployment(fleet, second.id, (states) => states === 'running: committed sent');
  });

  test('goes on where it was after a restart', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const { id } = await fleet.deploy();
    await fleet.manager.restart();
    await fleet.agents[0]?.commit();
    await untilDeployment(fleet, id, (states) => states === 'running: committed sent');
    await fleet.manager.restart();
    await fleet.agents[1]?.commit();
    await untilDeployment(fleet, id, (states) => states === 'succeeded: committed committed');
  });

  test('holds nobody to a verdict that the manager was not there to hear', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    await using fleet = await openFleet(['a', 'b'], { clock });
    const { id } = await fleet.deploy();
    aheadMs = 3_600_000;
    await fleet.manager.restart();
    const [agent] = fleet.agents as [TestAgent];
    const { id: serverId, key } = agent;
    const late = createClient(agentRoutes, async (request) => {
      const { method, path, body = new Uint8Array() } = request;
      return await createTransport(fleet.manager.manager.url, async () => {
        return await signRequest({ method, path, headers: {}, body }, serverId, key, clock);
      })(request);
    });
    const committed = { epoch: 1, generation: 1 };
    const running = { ...committed, source: 'manager' as const, digest: null };
    await late.status({ body: { ...exampleStatus, running, committed, phase: 'committed' } });
    await untilDeployment(fleet, id, (states) => states === 'running: committed sent');
  });

  test('waits for nobody who was given another config or was removed', async () => {
    await using fleet = await openFleet(['a', 'b', 'c']);
    const { client } = fleet;
    const first = await fleet.deploy();
    await client.configs.create({ body: { name: 'other', subscriptions: ['demo'] } });
    const other = await client.configs.deploy({ params: { id: 'other' }, body: { servers: ['a'] } });
    await untilDeployment(fleet, first.id, (states) => states === 'running: moved sent waiting');
    await client.servers.remove({ params: { id: 'b' }, headers: { 'if-match': '*' } });
    await untilDeployment(fleet, first.id, (states) => states === 'running: moved moved sent');
    await fleet.agents[0]?.commit();
    await fleet.agents[2]?.commit();
    await untilDeployment(fleet, other.id, (states) => states === 'succeeded: committed');
    await untilDeployment(fleet, first.id, (states) => states === 'succeeded: moved moved committed');
  });

  test('gives orders of a higher epoch to all once the epoch was raised', async () => {
    await using fleet = await openFleet(['a']);
    await fleet.deploy();
    const [agent] = fleet.agents as [TestAgent];
    await agent.commit();
    await fleet.manager.restart({ epoch: 3 });
    expect((await agent.manifest())?.manifest).toMatchObject({ epoch: 3, generation: 2, rollback_of: null });
    await fleet.manager.restart();
    expect((await agent.manifest())?.manifest).toMatchObject({ epoch: 3, generation: 2 });
  });

  test('keeps nobody else from a higher epoch when one engine can no longer be rendered for', async () => {
    await using fleet = await openFleet(['a', 'b']);
    const { id } = await fleet.deploy();
    const [first, second] = fleet.agents as [TestAgent, TestAgent];
    await first.commit();
    await untilDeployment(fleet, id, (states) => states === 'running: committed sent');
    await first.say({ engines: [{ kind: 'sing-box', version: '1.8.0', tags: [] }] });
    await fleet.manager.restart({ epoch: 3 });
    expect((await first.manifest())?.manifest).toMatchObject({ epoch: 1, generation: 1 });
    expect((await second.manifest())?.manifest).toMatchObject({ epoch: 3, generation: 2 });
  });

  test('refuses an engine version that is none', async () => {
    await using fleet = await openFleet([]);
    const engine = { kind: 'sing-box' as const, version: 'abc', tags: [] };
    await fleet.client.servers.add({ body: { name: 'island', engine } });
    expect(await codeOf(fleet.deploy(['island']))).toBe('engine.unsupported');
  });

  test('follows a changed subscription where the config says so', async () => {
    await using fleet = await openFleet(['a']);
    const { client, agents } = fleet;
    const { id } = await fleet.deploy();
    await agents[0]?.commit();
    await untilDeployment(fleet, id, (states) => states.startsWith('succeeded'));
    const params = { id: 'home' };
    await client.configs.update({ params, headers: { 'if-match': '*' }, body: { auto_deploy: true } });
    const waiting = agents[0]?.manifest({
      prefer: 'wait=20',
      'if-none-match': (await agents[0].manifest())?.etag ?? '',
    });
    await client.subscriptions.update({
      params: { id: 'demo' },
      headers: { 'if-match': '*' },
      body: { source: { type: 'inline', text: `${link('One')}\n${link('Two', 2)}` } },
    });
    const order = (await waiting)?.manifest;
    expect(order).toMatchObject({ generation: 2, units: [{ config: { version: 2 } }] });
  });

  test('to a server that never joins gives it a bundle at once', async () => {
    await using fleet = await openFleet([]);
    const { client } = fleet;
    await client.servers.add({ body: { name: 'island' } });
    expect(await codeOf(client.servers.bundle({ params: { id: 'island' } }))).toBe('server.not-assigned');
    const deployment = await fleet.deploy(['island']);
    expect(deployment.state).toBe('succeeded');
    const { bytes } = await client.servers.bundle({ params: { id: 'island' } });
    const tar = Buffer.from(bytes ?? []);
    expect(tar.length % 512).toBe(0);
    expect(tar.subarray(0, 11).toString()).toBe('bundle.json');
    expect(tar.subarray(257, 262).toString()).toBe('ustar');
  });

  test('needs servers: those that run the config, the only one there is, or those that are named', async () => {
    await using fleet = await openFleet([]);
    const { client } = fleet;
    const params = { id: 'home' };
    expect(await codeOf(client.configs.deploy({ params, body: {} }))).toBe('deployment.no-servers');
    await client.servers.add({ body: { name: 'x' } });
    await client.servers.add({ body: { name: 'y' } });
    expect(await codeOf(client.configs.deploy({ params, body: {} }))).toBe('deployment.no-servers');
    expect(await codeOf(fleet.deploy(['z']))).toBe('server.not-found');
    await fleet.deploy(['x']);
    expect((await client.configs.deploy({ params, body: {} })).servers).toHaveLength(1);
  });
});
