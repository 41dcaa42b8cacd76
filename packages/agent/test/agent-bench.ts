import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { systemClock, type Clock } from '@sbox/core';
import { silentLogger, type Logger } from '@sbox/daemon/log';
import * as z from 'zod/mini';
import { startAgent, type Agent } from '../src/agent.ts';
import { join } from '../src/identity/join.ts';
import type { Identity } from '../src/identity/identity.ts';
import { agentSettingsSchema, type AgentSettings } from '../src/settings/schema.ts';
import { createFakeReconciler, type FakeReconciler } from './fake-reconciler.ts';
import type { ManagerDouble } from './manager-double.ts';

export interface TestAgent extends Agent {
  readonly fake: FakeReconciler;
}

/** A directory for a server's state and everything around it; gone when it is disposed. */
export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly stateDir: string;
  readonly importDir: string;
  settings(more?: Readonly<Record<string, unknown>>): AgentSettings;
  join(manager: ManagerDouble, name?: string): Promise<Identity>;
  start(settings?: AgentSettings, more?: { clock?: Clock; log?: Logger }): Promise<TestAgent>;
}

const quickSync = {
  wait: '2s',
  poll: '100ms',
  resync: '1s',
  retry_base: '5ms',
  retry_cap: '50ms',
  debounce: '5ms',
  socket: false,
  connect_timeout: '1s',
};

export async function openBench(): Promise<Bench> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'sbox-agent-'));
  const stateDir = path.join(directory, 'state');
  const importDir = path.join(directory, 'import.d');
  const settings: Bench['settings'] = ({ sync = {}, import: imports = {}, ...more } = {}) =>
    z.parse(agentSettingsSchema, {
      state_dir: stateDir,
      import: { dir: importDir, settle: '20ms', ...(imports as object) },
      sync: { ...quickSync, ...(sync as object) },
      ...more,
    });
  return {
    directory,
    stateDir,
    importDir,
    settings,
    async join(manager, name = 'test') {
      const tokenFile = path.join(directory, 'token');
      await writeFile(tokenFile, manager.joinToken());
      return await join({
        url: manager.url,
        tokenFile,
        name,
        stateDir,
        engines: [],
        clock: systemClock,
        log: silentLogger,
      });
    },
    async start(chosen = settings(), { clock = systemClock, log = silentLogger } = {}) {
      const fake = createFakeReconciler(clock);
      const agent = await startAgent(chosen, {
        log,
        clock,
        pid: process.pid,
        uid: process.getuid?.() ?? 0,
        environment: {},
        programFile: '/nowhere/main.ts',
        nodeFile: process.execPath,
        kill: () => {},
        createReconciler: async () => fake,
      });
      return Object.assign(Object.create(agent) as Agent, {
        fake,
        [Symbol.asyncDispose]: async () => await agent[Symbol.asyncDispose](),
      });
    },
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }),
  };
}

/** Waits for something that another part of the test will do; fails with what it waited for. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 5000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function untilRuns({ fake }: TestAgent, generation: number, timeoutMs?: number): Promise<void> {
  await eventually(`generation ${generation} runs`, () => fake.state.running?.generation === generation, timeoutMs);
}
