import { writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  openStreamThrough,
  openTestDirectory,
  requestThrough,
  startOrigin,
  type AgentProcess,
  type ProxiedStream,
} from '../src/index.ts';

const configOf = (port: number, note: string): string =>
  JSON.stringify({
    log: { level: 'warn' },
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
    outbounds: [{ type: 'direct', tag: `out-${note}` }],
  });

interface Answer {
  readonly code: number;
  readonly stderr: string;
  /** Of `-o json`. */
  readonly value: Record<string, unknown>;
}

async function say(agent: AgentProcess, ...words: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await agent.command(...words, '-o', 'json');
  return { code, stderr, value: stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>) };
}

interface Bench extends AsyncDisposable {
  readonly agent: AgentProcess;
  readonly port: number;
  /** A config whose only difference to the others is the name of a node. */
  fileOf(note: string): Promise<string>;
  request(): Promise<string>;
  stream(): Promise<ProxiedStream>;
  events(): Promise<string[]>;
}

/** A server that never joined and runs the config `first`. */
async function openBench(): Promise<Bench> {
  await using started = new AsyncDisposableStack();
  const dir = started.use(openTestDirectory('config-apply'));
  const origin = started.use(await startOrigin());
  const [port = 0] = await freePorts(1);
  const settings = {
    IMPORT_PROBE_URLS: JSON.stringify([origin.url]),
    IMPORT_WATCH: '300ms',
    APPLY_WATCH_EVERY: '100ms',
    APPLY_CONFIRM: '0',
  };
  const agent = started.use(createAgentProcess({ dir: dir.file('agent'), settings }));
  await agent.start();
  const fileOf = async (note: string): Promise<string> => {
    const file = dir.file(`${note}.json`);
    await writeFile(file, configOf(port, note));
    return file;
  };
  const first = await say(agent, 'config', 'apply', await fileOf('first'));
  expect([first.code, first.value, first.stderr]).toMatchObject([0, { state: 'committed', source: 'local' }, '']);
  const kept = started.move();
  return {
    agent,
    port,
    fileOf,
    request: async () => (await requestThrough({ proxyPort: port, url: origin.url })).body,
    stream: async () => await openStreamThrough({ proxyPort: port, url: origin.streamUrl }),
    events: async () => (await agent.local.events()).items.map(({ type }) => type),
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

const handIn = async ({ agent, port }: Bench, note: string, confirm_ms?: number): Promise<void> => {
  const query = { name: `${note}.json`, ...(confirm_ms === undefined ? {} : { confirm_ms }) };
  await agent.local.apply({ query, body: Buffer.from(configOf(port, note)) });
};

test('a plan touches nothing, and the take-over is what it said', async () => {
  await using bench = await openBench();
  const { agent } = bench;
  using stream = await bench.stream();
  const before = await agent.local.status();
  const plan = await say(agent, 'config', 'apply', await bench.fileOf('second'), '--plan');
  expect([plan.code, plan.stderr]).toEqual([0, '']);
  const [planned] = plan.value['items'] as { strategy: string; message: string; connections: number }[];
  expect(planned).toMatchObject({ connections: 1, message: expect.stringMatching(/\d+ connection/) });
  const after = await agent.local.status();
  expect(after.units.map(({ pid, digest }) => [pid, digest])).toEqual(
    before.units.map(({ pid, digest }) => [pid, digest]),
  );
  expect(stream.isOpen).toBe(true);
  await handIn(bench, 'second');
  const { units } = await agent.until('taken', ({ phase, units: [unit] }) => {
    return phase === 'committed' && unit?.digest !== before.units[0]?.digest;
  });
  expect(units[0]?.reload?.strategy).toBe(planned?.strategy);
  expect(await bench.events()).toContain('reload.done');
  expect(await bench.request()).toBe('origin-ok');
});

test('a config that has to be confirmed stays when it is, and is taken back when it is not', async () => {
  await using bench = await openBench();
  const { agent } = bench;
  const second = await say(agent, 'config', 'apply', await bench.fileOf('second'), '--confirm', '1m');
  expect([second.code, second.value]).toMatchObject([0, { state: 'serving', confirm: { until: expect.any(String) } }]);
  expect((await agent.command('status')).stdout).toMatch(/^confirm +.* is taken back in/m);
  expect((await agent.command('config', 'confirm')).code).toBe(0);
  const kept = await agent.until('committed', ({ phase, confirm }) => phase === 'committed' && confirm === null);

  await handIn(bench, 'third', 1500);
  await agent.until('serving', ({ confirm }) => confirm !== null);
  await agent.until('taken back', ({ units, nack }) => {
    return units[0]?.digest === kept.units[0]?.digest && nack?.code === 'apply.unconfirmed';
  });
  expect(await bench.request()).toBe('origin-ok');
  expect((await bench.events()).filter((type) => type.startsWith('confirm.')).toReversed()).toEqual([
    'confirm.pending',
    'confirm.done',
    'confirm.pending',
    'confirm.reverted',
  ]);
});

test('a config that the engine refuses is the problem of the command, and nothing else happens', async () => {
  await using bench = await openBench();
  const before = await bench.agent.local.status();
  const file = await bench.fileOf('bad');
  await writeFile(file, '{"outbounds": [{"type": "colour"}]}');
  const bad = await say(bench.agent, 'config', 'apply', file);
  expect(bad.code).toBe(7);
  expect(bad.stderr).toContain('colour');
  expect((await bench.agent.local.status()).units[0]?.pid).toBe(before.units[0]?.pid);
  expect(await bench.request()).toBe('origin-ok');
});
