import type { spawn as nodeSpawn } from 'node:child_process';
import { ProblemError, messageOf, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { OpenEndPipe } from './end-pipe.ts';
import { reasonOf, type Exit } from './exit.ts';
import { endAll, findFamily, markName, untilAllGone } from './family.ts';
import type { LogFile } from './log-file.ts';
import type { Proc, ProcessIdentity } from './proc.ts';
import { untilGone, type Ended } from './until-gone.ts';

export type { Exit } from './exit.ts';

/** One running program that outlives the agent. */
export interface EngineProcess {
  readonly identity: ProcessIdentity;
  readonly startedAt: number;
  readonly isAdopted: boolean;
  readonly isAlive: boolean;
  /** Resolves when it and all that it started are gone. Never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends a signal to this process and to nobody else. False when it is gone. */
  signal(name: NodeJS.Signals): boolean;
  /**
   * TERM to its group and to what left the group, KILL after the grace. Resolves when all of it is gone.
   * @throws ProblemError `unit.failed`
   */
  stop(): Promise<Exit>;
  /** What the OOM killer did until now was not its end. */
  forgetOom(): void;
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
  /** Without it an agent that comes after this one sees the end of an engine by looking only. */
  readonly openEndPipe?: OpenEndPipe;
  readonly log?: Logger;
}

export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly log: LogFile;
}

let launched = 0;

/** Starts a program in a session of its own, with files for its output: no pipe that it writes to may tie it to the agent. */
export async function launch(deps: ProcessDeps, { program, args, cwd, log }: Launch): Promise<EngineProcess> {
  const output = await log.open();
  const endPipe = await deps.openEndPipe?.(log.file).catch((error: unknown) => {
    deps.log?.debug('The end of this engine will be seen by looking only', { program, error: messageOf(error) });
  });
  const mark = `${cwd}#${deps.clock.now().toString(36)}-${(launched += 1)}`;
  try {
    const child = deps.spawn(program, [...args], {
      detached: true,
      stdio: ['ignore', output.fd, output.fd, ...(endPipe === undefined ? [] : [endPipe.fd])],
      cwd,
      env: { ...deps.env, [markName]: mark },
    });
    const ended = new Promise<Ended>((resolve) => {
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
    return createProcess(deps, { identity, mark, startedAt: deps.clock.now(), isAdopted: false, ended });
  } finally {
    endPipe?.close();
    await output.close();
  }
}

/** Takes over a process that an earlier agent started; whoever calls has checked that it is the one. */
export function adopt(deps: ProcessDeps, identity: ProcessIdentity, startedAt: number): EngineProcess {
  const mark = deps.proc.isAlive(identity) ? deps.proc.environmentOf(identity.pid, markName) : undefined;
  return createProcess(deps, { identity, mark, startedAt, isAdopted: true, ended: undefined });
}

interface Origin {
  readonly identity: ProcessIdentity;
  readonly mark: string | undefined;
  readonly startedAt: number;
  readonly isAdopted: boolean;
  /** Undefined when it is no child of ours: then the pipe and /proc say when it is gone. */
  readonly ended: Promise<Ended> | undefined;
}

/** What a dead engine left behind gets so long to end by itself. */
const sweepMs = 1000;

function createProcess(deps: ProcessDeps, { identity, mark, startedAt, isAdopted, ended }: Origin): EngineProcess {
  const { proc, clock, kill, stopMs } = deps;
  const since = clock.monotonic() - Math.max(0, clock.now() - startedAt);
  const [released, hurried] = [new AbortController(), new AbortController()];
  const patience = { released: released.signal, hurried: hurried.signal };
  const oom = proc.watchOom(identity.pid);
  let [isGone, isKilledByUs, isStopping] = [false, false, false];
  const exited = (ended ?? untilGone(deps, identity, patience)).then(async (raw): Promise<Exit> => {
    isGone = true;
    const reason = reasonOf({ ...raw, isKilledByUs, oom: oom.look() });
    const exit = { ...raw, uptimeMs: clock.monotonic() - since, reason };
    // Whatever else it started may still hold its ports. A stop in order sees to that itself.
    for (const name of ['SIGTERM', 'SIGKILL'] as const) {
      if (!isStopping) await endAll(deps, findFamily(proc, identity, mark), name, Math.min(sweepMs, stopMs));
    }
    return exit;
  });
  const isAlive = (): boolean => !isGone && proc.isAlive(identity);

  function send(name: NodeJS.Signals, target: number): boolean {
    // The check and the signal are as near to each other as they can be: a pid may be used again.
    if (!isAlive()) return false;
    for (const one of target < 0 ? [target, identity.pid] : [target]) {
      try {
        kill(one, name);
        isKilledByUs ||= name === 'SIGKILL';
        return true;
      } catch {
        // No group of its own, or gone in this very moment.
      }
    }
    return false;
  }

  async function stop(): Promise<Exit> {
    isStopping = true;
    hurried.abort();
    const deadline = clock.monotonic() + stopMs;
    // Looked up while the head lives: afterwards nobody knows who belonged to its group.
    const family = findFamily(proc, identity, mark);
    const isReached = (pid: number): boolean => isAlive() && proc.kinOf(pid)?.group === identity.pid;
    const others = family.filter(({ pid }) => !isReached(pid));
    send('SIGTERM', -identity.pid);
    await endAll(deps, others, 'SIGTERM', 0);
    await isOver(exited, clock, stopMs);
    await untilAllGone(deps, family, deadline - clock.monotonic());
    if (send('SIGKILL', -identity.pid)) await isOver(exited, clock, stopMs);
    // Looked up once more: what was ending may have started others.
    const left = await endAll(deps, [...family, ...findFamily(proc, identity, mark)], 'SIGKILL', stopMs);
    isStopping = false;
    if (isAlive() || left.length > 0) throw unkillable(proc, isAlive() ? [identity, ...left] : left);
    return await exited;
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
    stop,
    forgetOom: () => oom.forget(),
    release: () => released.abort(new ProblemError('command.failed', 'released')),
  };
}

function unkillable(proc: Proc, survivors: readonly ProcessIdentity[]): ProblemError {
  const names = survivors.map(({ pid }) => `pid ${pid} (${proc.argumentsOf(pid).join(' ').slice(0, 60) || '?'})`);
  return new ProblemError('unit.failed', `${names.join(', ')} cannot be ended; no second copy is started beside it`);
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
