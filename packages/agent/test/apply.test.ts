import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import type { Reconciler } from '../src/order.ts';
import { createDisk } from '../src/state/disk.ts';
import { parseJournal } from '../src/state/journal.ts';
import {
  directConfig,
  freePort,
  isCommitted,
  isRefused,
  openRig,
  openStream,
  requestThrough,
  startUpstream,
  until,
  type OrderOptions,
  type Rig,
} from './reconciler-rig.ts';

jest.setTimeout(30_000);

async function openWithFirst(rig: Rig, unit: OrderOptions['unit'] = {}): Promise<{ agent: Reconciler; pid: number }> {
  const agent = await rig.serve({}, unit);
  return { agent, pid: agent.state.units[0]?.pid ?? 0 };
}

const inPlace = { reload: 'in-place' } as const;

test('a first order is proved, started and committed; a second one is taken over by the same process', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  expect(agent.state.phase).toBe('idle');

  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port) }));
  const first = await until(agent, isCommitted(1));
  const [pid] = rig.engines();
  expect(first.units).toMatchObject([
    { name: 'edge', state: 'running', pid, listens: [{ address: `127.0.0.1:${rig.port}` }], probe: { ok: true } },
  ]);
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);

  const config = directConfig(rig.port, { log: { level: 'info' } });
  agent.offer(rig.order({ generation: 2, config, unit: inPlace }));
  const second = await until(agent, isCommitted(2));
  expect(second.units[0]?.pid).toBe(pid);
  expect(second.units[0]?.digest).not.toBe(first.units[0]?.digest);
  expect(second.running).toMatchObject({ generation: 2, source: 'manager' });
  expect(rig.engines()).toEqual([pid]);
  expect((await agent.history()).map(({ generation, state }) => [generation, state])).toEqual([
    [2, 'committed'],
    [1, 'committed'],
  ]);
});

const dead = { type: 'socks', tag: 'dead', server: '127.0.0.1', server_port: 9 };
const refusals: readonly {
  readonly name: string;
  readonly change: (port: number) => Record<string, unknown>;
  readonly nack: Record<string, unknown>;
}[] = [
  {
    name: 'a key that the engine does not know',
    change: () => ({ nonsense: 1 }),
    nack: {
      code: 'engine.check-failed',
      stage: 'validate',
      sticky: true,
      message: expect.stringContaining('nonsense'),
    },
  },
  {
    name: 'a selector with a missing member',
    change: () => ({
      outbounds: [
        { type: 'direct', tag: 'out' },
        { type: 'selector', tag: 'pick', outbounds: ['out', 'nobody'] },
      ],
    }),
    nack: { code: 'trial.start-failed', stage: 'trial', message: expect.stringContaining('nobody') },
  },
  {
    name: 'a doubled port',
    change: (port) => ({
      inbounds: [
        { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port },
        { type: 'mixed', tag: 'in2', listen: '::', listen_port: port },
      ],
    }),
    nack: {
      code: 'config.invalid',
      stage: 'validate',
      sticky: true,
      message: expect.stringContaining('taken by "in"'),
    },
  },
  {
    name: 'a dead outbound',
    change: () => ({ outbounds: [dead], route: { final: 'dead' } }),
    nack: { code: 'trial.probe-failed', stage: 'trial', sticky: false, retry_at: expect.any(String) },
  },
];

test.each(refusals)('$name leaves the live engine and its connections alone', async ({ change, nack }) => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  using stream = await openStream(rig.port, rig.origin.url);

  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, change(rig.port)) }));
  const state = await until(agent, (found) => found.nack !== null);
  expect(state.nack).toMatchObject({ epoch: 1, generation: 2, unit: 'edge', ...nack });
  expect(state).toMatchObject({
    running: { generation: 1 },
    committed: { generation: 1 },
    observed: { generation: 2 },
  });
  expect(rig.engines()).toEqual([pid]);
  expect(stream.isOpen).toBe(true);
  expect(agent.processes()).toMatchObject([{ role: 'live', pid }]);
});

test('a port that another program holds is named with its holder, and taken as soon as it is free', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  using stream = await openStream(rig.port, rig.origin.url);
  const port = await freePort();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
  const inbounds = [
    { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: rig.port },
    { type: 'mixed', tag: 'new', listen: '127.0.0.1', listen_port: port },
  ];
  const order = rig.order({ generation: 2, config: directConfig(rig.port, { inbounds }), unit: inPlace });
  agent.offer(order);
  const { nack } = await until(agent, isRefused('unit.port-in-use'));
  expect(nack).toMatchObject({ stage: 'apply', sticky: false });
  expect(nack?.message).toContain(`:${port}`);
  expect(nack?.message).toContain(`pid ${process.pid}`);
  expect(stream.isOpen).toBe(true);

  await new Promise((resolve) => other.close(resolve));
  agent.offer({ ...order, manifest: { ...order.manifest, generation: 3 } });
  const { units } = await until(agent, isCommitted(3));
  expect(units[0]).toMatchObject({ pid, listens: [{ tag: 'in' }, { tag: 'new', address: `127.0.0.1:${port}` }] });
});

test('what fails to start twice in the same way is not tried a third time', async () => {
  await using rig = await openRig();
  const agent = await rig.boot({ settings: { retry_ms: [30] } });
  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port, { route: { final: 'nobody' } }) }));
  const { nack } = await until(agent, (state) => state.nack?.sticky === true);
  expect(nack).toMatchObject({ code: 'trial.start-failed', retry_at: null });
  const tries = (await agent.history()).length;
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, { route: { final: 'nobody' } }) }));
  const again = await until(agent, (state) => state.nack?.generation === 2);
  expect(again.nack).toMatchObject({ stage: 'verify', sticky: true, code: 'trial.start-failed' });
  expect(tries).toBe(1);
});

test('an order of the same content with a new generation touches nothing', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  using stream = await openStream(rig.port, rig.origin.url);
  agent.offer(rig.order({ generation: 7, config: directConfig(rig.port) }));
  const state = await until(agent, isCommitted(7));
  expect(state.running).toMatchObject({ generation: 7 });
  expect(rig.engines()).toEqual([pid]);
  expect(stream.isOpen).toBe(true);
});

test.each([
  ['an older generation', { generation: 0 }],
  ['an older epoch', { epoch: 0, generation: 9 }],
  ['the same generation with other content', { generation: 1 }],
])('%s is refused', async (_, options) => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  agent.offer(rig.order({ ...options, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  const { nack } = await until(agent, (state) => state.nack !== null);
  expect(nack).toMatchObject({ code: 'manifest.stale', stage: 'verify', sticky: true });
  expect(agent.state).toMatchObject({ observed: { epoch: 1, generation: 1 }, running: { generation: 1 } });
  expect(rig.engines()).toEqual([pid]);
});

test('a plan of a config that would be refused is refused with the same words', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const broken = { ...directConfig(rig.port), inbounds: [{ type: 'nonsense', tag: 'x' }] };
  await expect(agent.plan(rig.order({ generation: 1, config: broken }))).rejects.toMatchObject({
    name: 'ProblemError',
    code: 'engine.check-failed',
    message: expect.stringContaining('nonsense'),
  });
});

test('content that does not fit its digest is fetched again', async () => {
  await using rig = await openRig();
  const agent = await rig.boot({ settings: { retry_ms: [20] } });
  const order = rig.order({ generation: 1, config: directConfig(rig.port) });
  const answers = [async () => Buffer.from('{"inbounds":'), order.blobs.fetch];
  const fetch: typeof order.blobs.fetch = async (...args) => await (answers.shift() ?? order.blobs.fetch)(...args);
  agent.offer({ ...order, blobs: { fetch } });
  await until(agent, isRefused('blob.digest-mismatch'));
  await until(agent, isCommitted(1));
});

test('a unit that is no longer wanted is stopped, a new one starts beside it', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const [a, b] = [directConfig(await freePort()), directConfig(await freePort())];
  agent.offer(rig.order({ generation: 1, configs: { a, b } }));
  const first = await until(agent, isCommitted(1));
  expect(rig.engines()).toHaveLength(2);
  agent.offer(rig.order({ generation: 2, configs: { b } }));
  const second = await until(agent, isCommitted(2));
  expect(second.units).toMatchObject([{ name: 'b', pid: first.units[1]?.pid }]);
  expect(rig.engines()).toEqual([first.units[1]?.pid]);
  agent.offer(rig.order({ generation: 3, configs: {} }));
  expect(await until(agent, (state) => state.committed?.generation === 3)).toMatchObject({ phase: 'idle', units: [] });
  expect(rig.engines()).toEqual([]);
});

test('scenario 11: without a trial, an engine that ends at the take-over is replaced by the last good version within 2 s', async () => {
  await using rig = await openRig();
  const { agent } = await openWithFirst(rig);
  const config = directConfig(rig.port, { route: { final: 'nobody' } });
  agent.offer(rig.order({ generation: 2, config, unit: { trial: false, ...inPlace } }));
  const state = await until(agent, isRefused('apply.failed'));
  expect(state.nack).toMatchObject({ stage: 'apply', message: expect.stringContaining('nobody') });
  expect(state.units[0]?.message).toBe('');
  expect(state).toMatchObject({ running: { generation: 1 }, units: [{ state: 'running' }] });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
  expect((await agent.history()).map(({ generation, state: last }) => [generation, last])).toEqual([
    [2, 'rolled-back'],
    [1, 'committed'],
  ]);
  const { records } = parseJournal(readFileSync(path.join(rig.directory, 'journal.ndjson'), 'utf8'));
  const switchedAt = records.find(({ step, generation }) => step === 'SWITCHED' && generation === 2)?.at ?? '';
  const downMs = Date.parse(state.units[0]?.started_at ?? '') - Date.parse(switchedAt);
  expect(downMs).toBeGreaterThanOrEqual(0);
  expect(downMs).toBeLessThan(2000);
});

test('without a trial, a version that takes over and lets nothing through is taken back', async () => {
  await using rig = await openRig();
  const { agent } = await openWithFirst(rig);
  const config = directConfig(rig.port, { outbounds: [dead], route: { final: 'dead' } });
  agent.offer(rig.order({ generation: 2, config, unit: { trial: false } }));
  const state = await until(agent, isRefused('apply.probe-failed'));
  expect(state).toMatchObject({ running: { generation: 1 }, committed: { generation: 1 } });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('an operator goes back one version, and the server stays there until a newer order comes', async () => {
  await using rig = await openRig();
  const { agent } = await openWithFirst(rig);
  await expect(agent.rollback()).rejects.toMatchObject({ code: 'history.empty' });
  const second = rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) });
  agent.offer(second);
  await until(agent, isCommitted(2));

  expect(await agent.rollback()).toMatchObject({ generation: 1, state: 'committed' });
  expect(agent.state).toMatchObject({ phase: 'held', running: { generation: 1 }, held: expect.any(String) });
  expect(readlinkSync(path.join(rig.directory, 'slots/edge/lkg'))).toMatch(/^1\.1-/);
  agent.offer(second);
  await until(agent, ({ held }) => held !== null);
  expect(agent.state).toMatchObject({ running: { generation: 1 } });
  agent.offer({ ...second, manifest: { ...second.manifest, generation: 3 } });
  await until(agent, isCommitted(3));
});

test('a list that begins with dead nodes is proved by one that lives, and that one is tried first the next time', async () => {
  await using rig = await openRig();
  await using upstream = await startUpstream();
  const tags = Array.from({ length: 10 }, (_, index) => `node-${index}`);
  const nodes = tags.map((tag, index) => ({
    ...dead,
    tag,
    ...(index > 5 ? { type: 'http', server_port: upstream.port } : {}),
  }));
  const group = { type: 'urltest', tag: 'auto', outbounds: tags, url: rig.origin.url };
  const config = directConfig(rig.port, { outbounds: [group, ...nodes], route: { final: 'auto' } });
  const agent = await rig.boot({ settings: { verify_ms: 8000 } });
  agent.offer(rig.order({ generation: 1, config }));
  await until(agent, isCommitted(1), 12_000);
  agent.offer(rig.order({ generation: 2, config: { ...config, log: { level: 'warn' } } }));
  await until(agent, isCommitted(2), 12_000);
});

test('an engine that keeps its old configuration serves on with it, untouched', async () => {
  await using rig = await openRig();
  const rules = Buffer.from('{"version":1,"rules":[]}');
  const file = path.join(rig.directory, 'blobs/sha256', createHash('sha256').update(rules).digest('hex'));
  const disk = createDisk();
  const agent = await rig.open({
    disk: {
      ...disk,
      // The file goes between the check and the signal, so that only the engine itself can find out.
      async append(journal, text) {
        await disk.append(journal, text);
        if (text.includes('"SWITCHED"') && text.includes('"generation":2')) rmSync(file);
      },
    },
    settings: { start_ms: 700 },
  });
  await agent.boot();
  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port) }));
  const { units } = await until(agent, isCommitted(1));
  using stream = await openStream(rig.port, rig.origin.url);
  const rule_set = [{ type: 'local', tag: 'rules', format: 'source', path: 'rule-sets/rules.json' }];
  const config = directConfig(rig.port, { route: { final: 'out', rule_set } });
  agent.offer(rig.order({ generation: 2, config, files: { 'rule-sets/rules.json': rules }, unit: inPlace }));
  const state = await until(agent, isRefused('apply.refused'));
  expect(state.nack).toMatchObject({ stage: 'apply', message: expect.stringContaining('no such file') });
  expect(state).toMatchObject({ running: { generation: 1 }, units: [{ pid: units[0]?.pid, state: 'running' }] });
  expect(stream.isOpen).toBe(true);
});

test('a version without an inbound for requests is proved through one of the agent, which nobody else sees', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  const config = directConfig(rig.port, {
    inbounds: [{ type: 'direct', tag: 'in', listen: '127.0.0.1', listen_port: rig.port }],
  });
  agent.offer(rig.order({ generation: 2, config }));
  expect(await until(agent, isCommitted(2))).toMatchObject({
    units: [{ pid, probe: { ok: true }, listens: [{ tag: 'in' }] }],
  });
});

test('a local order takes over until the manager has something newer', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  const config = directConfig(rig.port, { log: { level: 'warn' } });
  const local = rig.order({ generation: 0, config, unit: inPlace });
  agent.offer({ ...local, source: 'local' });
  const state = await until(agent, ({ running, phase }) => running?.source === 'local' && phase === 'committed');
  expect(state).toMatchObject({ observed: { generation: 1 }, running: { generation: 0 }, units: [{ pid }] });
  // A restarted agent stays with it: what was accepted from the manager before is older than the wish for this one.
  await agent[Symbol.asyncDispose]();
  const next = await rig.boot();
  expect(next.state).toMatchObject({ running: { source: 'local' }, phase: 'committed' });
  next.offer(rig.order({ generation: 1, config: directConfig(rig.port) }));
  expect(await until(next, isCommitted(1))).toMatchObject({ running: { source: 'manager' } });
});

test('other probe targets for the same bytes are taken without touching the engine', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig);
  const probe = { urls: [rig.origin.url], expect: [418], need: 1, timeout_ms: 500 };
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port), unit: { probe } }));
  expect(await until(agent, isCommitted(2))).toMatchObject({ units: [{ pid }] });
  rig.origin.status = 418;
  agent.offer(
    rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'warn' } }), unit: { probe } }),
  );
  expect(await until(agent, isCommitted(3))).toMatchObject({ units: [{ probe: { ok: true } }] });
});

test('ports of the server go over those of the rendition, also when they change later', async () => {
  await using rig = await openRig();
  const { agent, pid } = await openWithFirst(rig, inPlace);
  await agent[Symbol.asyncDispose]();
  const port = await freePort();
  const next = await rig.boot({ ports: { in: port } });
  await until(
    next,
    ({ units, phase }) => units[0]?.listens[0]?.address === `127.0.0.1:${port}` && phase === 'committed',
  );
  expect(await requestThrough(port, rig.origin.url)).toBe(204);
  expect(next.state).toMatchObject({ running: { generation: 1 }, units: [{ pid }] });
});
