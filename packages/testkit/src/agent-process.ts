// An agent as a server starts it: its own process and state directory; its engine outlives it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createClient, localRoutes, type Client } from '@sbox/protocol';
import { runCommand, type Ended } from './commands.ts';
import { programFiles } from './programs.ts';
import { startProcess, type RunningProcess } from './processes.ts';
import { pinnedSingBox } from './sing-box.ts';
import { socketTransport } from './socket-transport.ts';

export type LocalClient = Client<typeof localRoutes>;
export type LocalStatus = Awaited<ReturnType<LocalClient['status']>>;

export interface AgentProcessOptions {
  dir: string;
  /** More settings, as environment variables without the prefix: `SYNC_WAIT`. */
  settings?: Readonly<Record<string, string>>;
  /** What runs; `programFiles` otherwise. */
  program?: AgentProgram;
}

export interface AgentProgram {
  readonly file: string;
  /** Added to the environment as it is: `NODE_OPTIONS`. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface AgentProcess extends AsyncDisposable {
  readonly process: RunningProcess;
  /** `sboxagent` with these words against this agent's state; what it printed and how it ended. */
  command(...words: string[]): Promise<Ended>;
  /** The agent's own API, over its socket file. */
  readonly local: LocalClient;
  /** Waits until the status fits; fails with the last one when the time is over. */
  until(what: string, fits: (status: LocalStatus) => boolean, timeoutMs?: number): Promise<LocalStatus>;
  /** SIGKILL to the agent only. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** What `pid` file of the running engine says. */
  enginePid(): Promise<number | undefined>;
}

const pollMs = 25;

/** Quick retries: a test waits for verdicts, not for politeness. */
const quick = {
  SYNC_RETRY_BASE: '50ms',
  SYNC_RETRY_CAP: '500ms',
  SYNC_POLL: '1s',
  IMPORT_SETTLE: '100ms',
  // The rules of the machine that runs the tests are nobody's to change; tests of swaps have a network of their own.
  APPLY_SWAP: 'off',
};

export function createAgentProcess({
  dir,
  settings = {},
  program = { file: programFiles.sboxagent },
}: AgentProcessOptions): AgentProcess {
  const own = Object.entries({
    ...quick,
    STATE_DIR: path.join(dir, 'state'),
    IMPORT_DIR: path.join(dir, 'import.d'),
    ENGINE_SING_BOX: pinnedSingBox(),
    ...settings,
  }).map(([name, value]) => [`SBOXAGENT_${name}`, value]);
  const env = { ...program.environment, ...Object.fromEntries(own) } as Record<string, string>;
  const args = ['--disable-warning=ExperimentalWarning', program.file];
  let running: RunningProcess | undefined;

  const local = createClient(localRoutes, socketTransport(path.join(dir, 'state/agent.sock')));
  return {
    get process() {
      if (!running) throw new Error('the agent was not started');
      return running;
    },
    command: async (...words) => await runCommand([...args, ...words], env),
    local,
    async start() {
      await mkdir(path.join(dir, 'import.d'), { recursive: true });
      running = await startProcess({
        command: process.execPath,
        args: [...args, 'run', '--ready-json'],
        env,
        logFile: path.join(dir, 'agent.log'),
        readyLine: /^\{"ready":true.*\}$/,
        readyTimeoutMs: 30_000,
        stopTimeoutMs: 15_000,
      });
    },
    async until(what, fits, timeoutMs = 30_000) {
      const deadline = performance.now() + timeoutMs;
      let last: LocalStatus | undefined;
      let problem: unknown;
      // The agent tells changes only over its own API, which this asks.
      while (performance.now() < deadline) {
        try {
          last = await local.status();
          if (fits(last)) return last;
        } catch (error) {
          problem = error;
        }
        await setTimeout(pollMs);
      }
      throw new Error(`not ${what} after ${timeoutMs} ms: ${JSON.stringify(last, undefined, 1) ?? String(problem)}`);
    },
    async kill() {
      running?.kill('SIGKILL');
      await running?.exited;
    },
    async enginePid() {
      const text = await readFile(path.join(dir, 'state/procs/main.json'), 'utf8').catch(() => undefined);
      return text === undefined ? undefined : (JSON.parse(text) as { pid: number }).pid;
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]();
    },
  };
}

/** Writes a join token where `sboxagent join` reads it. */
export async function writeTokenFile(file: string, token: string): Promise<string> {
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return file;
}
