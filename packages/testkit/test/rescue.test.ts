import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cp, mkdir, readdir, readFile, readlink, rm, chmod, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  createAgentProcess,
  freePorts,
  killProcessesUnder,
  openTestDirectory,
  pinnedSingBox,
  processesUnder,
  requestThrough,
  startOrigin,
  type AgentProcess,
} from '../src/index.ts';

/** A server that committed two imported configs, and lost its agent and its engine. */
interface Wreck extends AsyncDisposable {
  readonly state: string;
  readonly port: number;
  /** The state directory as it was when the machine went down. */
  reset(): Promise<void>;
  agent(settings?: Readonly<Record<string, string>>): AgentProcess;
  request(): Promise<string>;
}

const configOf = (port: number, note: string): string =>
  JSON.stringify({
    log: { level: 'warn' },
    inbounds: [{ type: 'mixed', tag: `in-${note}`, listen: '127.0.0.1', listen_port: port }],
    outbounds: [{ type: 'direct', tag: 'direct' }],
  });

async function openWreck(): Promise<Wreck> {
  await using started = new AsyncDisposableStack();
  const dir = started.use(openTestDirectory('rescue'));
  const origin = started.use(await startOrigin());
  const [port = 0] = await freePorts(1);
  const state = dir.file('server/state');
  const backup = dir.file('backup');
  const agentOf = (settings: Readonly<Record<string, string>> = {}): AgentProcess =>
    createAgentProcess({
      dir: dir.file('server'),
      settings: {
        IMPORT_PROBE_URLS: JSON.stringify([origin.url]),
        IMPORT_WATCH: '200ms',
        APPLY_CONFIRM: '0',
        ...settings,
      },
    });
  {
    await using agent = agentOf();
    await agent.start();
    for (const note of ['first', 'second']) {
      await writeFile(dir.file(`${note}.json`), configOf(port, note));
      const applied = await agent.command('config', 'apply', dir.file(`${note}.json`));
      if (applied.code !== 0) throw new Error(applied.stderr);
    }
  }
  await killProcessesUnder(dir.file('server'));
  await cp(state, backup, { recursive: true, verbatimSymlinks: true });
  const kept = started.move();
  return {
    state,
    port,
    agent: agentOf,
    request: async () => (await requestThrough({ proxyPort: port, url: origin.url })).body,
    async reset() {
      await killProcessesUnder(dir.file('server'));
      await rm(state, { recursive: true, force: true });
      await cp(backup, state, { recursive: true, verbatimSymlinks: true });
    },
    [Symbol.asyncDispose]: async () => await kept.disposeAsync(),
  };
}

const slotsOf = async (state: string): Promise<string> =>
  path.join(state, 'slots', (await readdir(path.join(state, 'slots')))[0] ?? '');
const newest = async (state: string): Promise<string> => {
  const slots = await slotsOf(state);
  return path.join(slots, await readlink(path.join(slots, 'lkg')));
};

interface Damage {
  readonly what: string;
  readonly make: (state: string) => Promise<void>;
  /** The tag of the inbound that serves afterwards. */
  readonly serves: 'first' | 'second';
  readonly options?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
}

const damages: readonly Damage[] = [
  {
    what: 'the end of the journal is torn',
    make: async (state) => await writeFile(path.join(state, 'journal.ndjson'), 'deadbeef {"step":', { flag: 'a' }),
    serves: 'second',
  },
  {
    what: 'the journal holds nothing but zeros',
    make: async (state) => await writeFile(path.join(state, 'journal.ndjson'), Buffer.alloc(4096)),
    serves: 'second',
  },
  {
    what: 'the journal is gone, and so are the links',
    make: async (state) => {
      await rm(path.join(state, 'journal.ndjson'));
      await rm(path.join(await slotsOf(state), 'lkg'));
      await rm(path.join(await slotsOf(state), 'current'));
    },
    serves: 'second',
  },
  {
    what: 'the file of the last good version is cut short',
    make: async (state) => await truncate(path.join(await newest(state), 'config.json'), 10),
    serves: 'first',
  },
  {
    what: 'the slot of the last good version is gone',
    make: async (state) => await rm(await newest(state), { recursive: true }),
    serves: 'first',
  },
  {
    what: 'nobody may read anything, and others may write to the directory',
    make: async (state) => {
      await chmod(path.join(await newest(state), 'config.json'), 0o000);
      await chmod(path.join(state, 'journal.ndjson'), 0o000);
      await chmod(await slotsOf(state), 0o000);
      await chmod(state, 0o777);
    },
    serves: 'second',
  },
  {
    what: 'lock and socket are things that they should not be',
    make: async (state) => {
      await mkdir(path.join(state, 'agent.lock/x'), { recursive: true });
      await rm(path.join(state, 'agent.sock'), { force: true });
      await writeFile(path.join(state, 'agent.sock'), '');
    },
    serves: 'second',
  },
  {
    what: 'a hold file and a quarantine were left',
    make: async (state) => {
      await writeFile(path.join(state, 'hold'), 'until Monday');
      await mkdir(path.join(state, 'quarantine'), { recursive: true });
      await writeFile(path.join(state, 'quarantine', 'x.json'), '{"digest":"x"}');
    },
    options: ['--release-hold', '--lift-quarantine'],
    serves: 'second',
  },
  {
    what: 'the engine is gone',
    make: async () => {},
    options: ['--engine', pinnedSingBox()],
    settings: { ENGINE_SING_BOX: '/nowhere/sing-box' },
    serves: 'second',
  },
];

describe('a server whose agent and engine are gone', () => {
  let wreck: Wreck;
  beforeAll(async () => {
    wreck = await openWreck();
  });
  afterAll(async () => await wreck[Symbol.asyncDispose]());

  test.each(damages)('serves again after a rescue: $what', async ({ make, options = [], settings, serves }) => {
    await wreck.reset();
    await make(wreck.state);
    await using agent = wreck.agent(settings);
    const rescued = await agent.command('rescue', '--yes', '-o', 'json', ...options);
    expect([rescued.code, rescued.stderr]).toEqual([0, '']);
    const { done } = JSON.parse(rescued.stdout) as { done: { state: string }[] };
    expect(done.map(({ state }) => state)).toContain('done');
    await agent.start();
    const status = await agent.until('serving', ({ phase, units }) => phase === 'committed' && units[0]?.pid !== null);
    expect(status.units[0]?.listens.map(({ tag }) => tag)).toEqual([`in-${serves}`]);
    expect(await wreck.request()).toBe('origin-ok');
  });

  test('serves without an agent after rescue --start, and the next agent adopts what was started', async () => {
    await wreck.reset();
    await using agent = wreck.agent();
    await writeFile(path.join(wreck.state, 'journal.ndjson'), 'torn', { flag: 'a' });
    const planned = await agent.command('rescue', '--start', '-o', 'json');
    const { plan, next } = JSON.parse(planned.stdout) as { plan: unknown[]; next: string };
    expect(plan).toMatchObject([{ repair: 'journal' }, { repair: 'start', state: 'planned' }]);
    expect(next).toMatch(/to do it: sboxagent rescue --start --yes$/);
    const rescued = await agent.command('rescue', '--yes', '--start', '-o', 'json');
    expect([rescued.code, rescued.stderr]).toEqual([0, '']);
    expect(JSON.parse(rescued.stdout)).toMatchObject({
      done: [{ repair: 'journal' }, { repair: 'start', state: 'done' }],
    });
    expect(await wreck.request()).toBe('origin-ok');
    const again = await agent.command('rescue', '-o', 'json');
    expect(JSON.parse(again.stdout)).toMatchObject({ plan: [] });
    const engine = processesUnder(wreck.state).find(({ command }) => command.includes('sing-box'));
    await agent.start();
    const status = await agent.until('committed', ({ phase }) => phase === 'committed');
    expect(status.units[0]?.pid).toBe(engine?.pid);
  });

  test('nothing is started where nothing can be, and the plan says what to bring', async () => {
    await wreck.reset();
    await rm(path.join(wreck.state, 'slots'), { recursive: true });
    await using agent = wreck.agent();
    const rescued = await agent.command('rescue', '--yes', '--start');
    expect(rescued.code).toBe(1);
    expect(rescued.stdout).toContain('sboxagent import FILE');
    expect(await readFile(path.join(wreck.state, 'journal.ndjson'), 'utf8')).not.toBe('');
  });

  test('an engine that runs without an agent is left alone', async () => {
    await wreck.reset();
    await using agent = wreck.agent();
    await agent.start();
    const before = await agent.until('committed', ({ phase }) => phase === 'committed');
    await agent.kill();
    const rescued = await agent.command('rescue', '--yes', '--start', '-o', 'json');
    expect(rescued.code).toBe(0);
    const { done } = JSON.parse(rescued.stdout) as { done: unknown[] };
    expect(done.at(-1)).toMatchObject({
      repair: 'start',
      state: 'advice',
      what: expect.stringMatching(/^nothing to start/),
    });
    await agent.start();
    const after = await agent.until('committed', ({ phase }) => phase === 'committed');
    expect(after.units[0]?.pid).toBe(before.units[0]?.pid);
  });
});
