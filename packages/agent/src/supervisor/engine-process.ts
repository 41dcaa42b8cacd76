import type { spawn as nodeSpawn } from 'node:child_process';
import { ProblemError, type Clock } from '@sbox/core';
import type { LogFile } from './log-file.ts';
import type { Proc, ProcessIdentity } from './proc.ts';

export interface Exit {
  /** Null when a signal ended it, or when the agent that started it is gone. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly uptimeMs: number;
}

/** One running program that outlives the agent. */
export interface EngineProcess {
  readonly identity: ProcessIdentity;
  readonly startedAt: number;
  readonly isAdopted: boolean;
  readonly isAlive: boolean;
  /** Never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends a signal to this process and to nobody else. False when it is gone. */
  signal(name: NodeJS.Signals): boolean;
  /** TERM to its group, KILL after the grace. Resolves when it is gone. @throws ProblemError `unit.failed` */
  stop(): Promise<Exit>;
  /** Forgets the process without touching it. */
  release(): void;
}

export interface ProcessDeps {
  readonly proc: Proc;
  readonly clock: Clock;
  readonly spawn: typeof nodeSpawn;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  /** Environment of the engine; nothing of the agent's own leaks into it. */
  readonly env: Readonly<Record<string, string>>;
  readonly stopMs: number;
  readonly pollMs: number;
}

export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly log: LogFile;
}

/** Starts a program in a session of its own, with files for its output: no pipe may tie it to the agent. */
export async function launch(deps: ProcessDeps, { program, args, cwd, log }: Launch): Promise<EngineProcess> {
  const output = await log.open();
  try {
    const child = deps.spawn(program, [...args], {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      cwd,
      env: { ...deps.env },
    });
    const exited = new Promise<Omit<Exit, 'uptimeMs'>>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(new ProblemError('engine.start-failed', `${program}: ${cause.message}`, { cause }));
      });
    });
    child.unref();
    const pid = child.pid ?? 0;
    const identity = deps.proc.identify(pid) ?? { pid, starttime: '', boot_id: '', exe: program };
    return createProcess(deps, { identity, startedAt: deps.clock.now(), isAdopted: false, ended: exited });
  } finally {
    await output.close();
  }
}

/** Takes over a process that an earlier agent started; whoever calls has checked that it is the one. */
export function adopt(deps: ProcessDeps, identity: ProcessIdentity, startedAt: number): EngineProcess {
  return createProcess(deps, { identity, startedAt, isAdopted: true, ended: undefined });
}

interface Origin {
  readonly identity: ProcessIdentity;
  readonly startedAt: number;
  readonly isAdopted: boolean;
  /** Undefined when it is no child of ours: then /proc says when it is gone. */
  readonly ended: Promise<Omit<Exit, 'uptimeMs'>> | undefined;
}

function createProcess(deps: ProcessDeps, { identity, startedAt, isAdopted, ended }: Origin): EngineProcess {
  const { proc, clock, kill } = deps;
  const since = clock.monotonic() - Math.max(0, clock.now() - startedAt);
  const released = new AbortController();
  let isGone = false;
  const exited = (ended ?? pollUntilGone(deps, identity, released.signal)).then((exit): Exit => {
    isGone = true;
    return { ...exit, uptimeMs: clock.monotonic() - since };
  });
  const isAlive = (): boolean => !isGone && proc.isAlive(identity);

  function send(name: NodeJS.Signals, target: number): boolean {
    // The check and the signal are as near to each other as they can be: a pid may be used again.
    if (!isAlive()) return false;
    for (const one of target < 0 ? [target, identity.pid] : [target]) {
      try {
        kill(one, name);
        return true;
      } catch {
        // No group of its own, or gone in this very moment.
      }
    }
    return false;
  }

  return {
    identity,
    startedAt,
    isAdopted,
    get isAlive() {
      return isAlive();
    },
    exited,
    signal: (name) => send(name, identity.pid),
    async stop() {
      send('SIGTERM', -identity.pid);
      if (await isOver(exited, clock, deps.stopMs)) return await exited;
      send('SIGKILL', -identity.pid);
      if (await isOver(exited, clock, deps.stopMs)) return await exited;
      throw new ProblemError('unit.failed', `pid ${identity.pid} cannot be ended; no second copy is started beside it`);
    },
    release: () => released.abort(new ProblemError('command.failed', 'released')),
  };
}

async function isOver(exited: Promise<unknown>, clock: Clock, ms: number): Promise<boolean> {
  const waiting = new AbortController();
  const late = clock.sleep(ms, waiting.signal).then(
    () => false,
    () => true,
  );
  const first = await Promise.race([exited.then(() => true), late]);
  waiting.abort();
  return first;
}

async function pollUntilGone(
  { proc, clock, pollMs }: ProcessDeps,
  identity: ProcessIdentity,
  signal: AbortSignal,
): Promise<Omit<Exit, 'uptimeMs'>> {
  while (proc.isAlive(identity)) {
    try {
      await clock.sleep(pollMs, signal);
    } catch {
      // Released: nobody waits any more.
      return await new Promise(() => {});
    }
  }
  return { code: null, signal: null };
}
