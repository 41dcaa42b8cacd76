import type { spawn as nodeSpawn } from 'node:child_process';
import path from 'node:path';
import { ProblemError, isoTime, type Clock, type RandomBytes } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { ReloadPlan, Unit } from '@sbox/protocol';
import type { ApplyContext, ReconcilerSettings } from './apply/context.ts';
import { Loop } from './apply/loop.ts';
import { createPlanner } from './apply/plan.ts';
import { retryDefaults } from './apply/retry-schedule.ts';
import { createUpkeep, type Upkeep } from './apply/upkeep.ts';
import { collectGarbage } from './apply/tidy.ts';
import type { EngineFinder } from './engines/find-engine.ts';
import { createRunOverlay, type RunOverlay } from './engines/run-overlay.ts';
import { createMachine, type Machine } from './machine.ts';
import type { AgentProcess, HistoryEntry, Order, Reconciler, ReconcilerState } from './order.ts';
import type { Way } from './probe/tunnel.ts';
import { isDiskProblem, watchDisk, type Disk } from './state/disk.ts';
import { isEndedBy } from './state/hold.ts';
import { historyOf } from './state/journal-replay.ts';
import { unshift } from './reload/lay-out.ts';
import type { LiveSlot } from './state/slots.ts';
import { openStore, type Store } from './state/store.ts';
import type { EngineProcess, ProcessDeps } from './supervisor/engine-process.ts';
import { budgetDefaults } from './supervisor/budgets.ts';
import { logDefaults } from './supervisor/log-file.ts';
import { restartDefaults } from './supervisor/restart-policy.ts';
import { findHolder } from './supervisor/unit-order.ts';
import { SupervisedUnit } from './supervisor/unit.ts';

export interface ReconcilerDeps {
  readonly stateDir: string;
  readonly engines: EngineFinder;
  /** Inbound tag to port: what this server decided over what a rendition says. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly settings?: Partial<ReconcilerSettings>;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly spawn: typeof nodeSpawn;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly log: Logger;
  readonly disk: Disk;
  /** Whether the manager answers; undefined where there is none. */
  readonly managerReachable?: () => boolean | undefined;
  /** Stands in for parts of the machine; the real ones by default. */
  readonly machine?: Partial<Machine>;
  /** What runs `sboxagent overlay`, without IN and OUT; or the function itself, for tests. */
  readonly overlay: readonly string[] | RunOverlay;
  /** Engines end with the agent; without it they outlive it. */
  readonly stopEnginesOnDispose?: boolean;
}

const reconcilerDefaults: ReconcilerSettings = {
  start_ms: 5000,
  verify_ms: 10_000,
  watch_every_ms: 2000,
  watch_fails: 3,
  care_every_ms: 30_000,
  drain_ms: 600_000,
  drain_every_ms: 1000,
  stop_ms: 10_000,
  poll_ms: 250,
  control_ms: 1000,
  confirm_ms: 120_000,
  crash_rollback_ms: 900_000,
  restart: restartDefaults,
  retry_ms: retryDefaults,
  logs: logDefaults,
  log_every_ms: 5000,
  budget: budgetDefaults,
  exec_probes: [],
};

/** Opens the state directory; no engine is touched before `boot`. @throws what the disk says when it cannot be read */
export async function createReconciler(deps: ReconcilerDeps): Promise<Reconciler> {
  const { log } = deps;
  const shared: Shared = { log, units: new Map(), trials: new Map(), listeners: new Set(), diskProblem: null };
  const disk = watchDisk(deps.disk, (problem) => {
    if (problem === shared.diskProblem) return;
    if (problem !== null) deps.log.error('The state directory cannot be written', { problem });
    shared.diskProblem = problem;
    announce(shared);
  });
  // A disk that takes no writes must not keep down what is on it.
  await disk.makeDirectory(deps.stateDir).catch((error: unknown) => {
    if (!isDiskProblem(error)) throw error;
  });
  const store = await openStore(disk, deps.stateDir);
  // Units tell the loop about their ends, and the loop is what makes units.
  const ctx = createContext(deps, shared, store, (end) => loop.onEnd(end));
  const loop = new Loop(ctx, () => announce(shared));
  return new DirectReconciler(deps, shared, ctx, loop);
}

/** What changes while it runs, beside what the loop holds. */
interface Shared {
  readonly log: Logger;
  readonly units: Map<string, SupervisedUnit>;
  readonly trials: Map<string, EngineProcess>;
  readonly listeners: Set<() => void>;
  diskProblem: string | null;
  upkeep?: Upkeep;
}

/** Whoever listens must not stop what it is told about: a unit that was about to be started again. */
function announce({ listeners, log }: Shared): void {
  for (const listener of listeners) {
    try {
      listener();
    } catch (error) {
      log.error('A listener failed', errorFields(error));
    }
  }
}

function createContext(deps: ReconcilerDeps, shared: Shared, store: Store, onEnd: Loop['onEnd']): ApplyContext {
  const { stateDir, engines, clock, random, randomBytes, spawn, kill, log, ports = {} } = deps;
  const settings = { ...reconcilerDefaults, ...deps.settings };
  const { stop_ms: stopMs, poll_ms: pollMs, start_ms: startMs, restart } = settings;
  const machine = { ...createMachine({ clock, spawn, controlMs: settings.control_ms }), ...deps.machine };
  const { proc, sockets, control, mover, memoryAvailable, probe, check, openEndPipe, openLog } = machine;
  const processDeps: ProcessDeps = { proc, clock, spawn, kill, env: {}, stopMs, pollMs, openEndPipe, log };
  const overlay = typeof deps.overlay === 'function' ? deps.overlay : createRunOverlay(spawn, deps.overlay);
  const onChange = (): void => {
    upkeep.followUnits();
    announce(shared);
  };
  const onProcess = (unit: string, process: EngineProcess | undefined): void => {
    if (process === undefined) shared.trials.delete(unit);
    else shared.trials.set(unit, process);
    onChange();
  };
  const heldBy = (one: Unit): string | undefined => {
    const all = units().map(({ slot, name, state }) => ({ ...slot?.unit, name, isRunning: state === 'running' }));
    return findHolder(all, one);
  };
  const makeUnit = (name: string): SupervisedUnit => {
    const logFile = openLog(path.join(stateDir, 'logs', `${name}.log`), settings.logs);
    const { slots, records } = store;
    const workDir = slots.workDirectory(name);
    const own = { name, stateDir, workDir, engines, slots, records, control, logFile, log, random, startMs, restart };
    const { drain_ms: drainMs, drain_every_ms: drainEveryMs } = settings;
    const lanes = { mover, drainMs, drainEveryMs, unshift: async (slot: LiveSlot) => await unshift(ctx, slot) };
    return new SupervisedUnit({ ...processDeps, ...own, ...lanes, heldBy, onChange, onEnd });
  };
  const unit = (name: string): SupervisedUnit => {
    const found = shared.units.get(name) ?? makeUnit(name);
    shared.units.set(name, found);
    return found;
  };
  const units = (): SupervisedUnit[] => [...shared.units.values()];
  const around = { overlay, sockets, control, probe, openLog, randomBytes, startMs, onProcess };
  const trial = { ...processDeps, ...around, stateDir, disk: store.disk };
  const seen = { proc, sockets, control, mover, memoryAvailable, probe };
  const io = { clock, random, randomBytes, overlay, check, log, ...seen };
  const upkeep = createUpkeep({
    machine,
    stateDir,
    spawn,
    kill,
    clock,
    random,
    log,
    units,
    settings,
    collectGarbage: async () => await collectGarbage(ctx),
    onChange: () => announce(shared),
  });
  shared.upkeep = upkeep;
  const { uplink, probes, budgets } = upkeep;
  const managerReachable = deps.managerReachable ?? (() => undefined);
  const known = { managerReachable, uplink, probes, budgets, store, engines, ports, settings };
  const ctx: ApplyContext = { ...io, ...known, trial, unit, units, heldBy };
  return ctx;
}

/** Runs engines as children of its own (no service manager), each in a session of its own. */
class DirectReconciler implements Reconciler {
  readonly #deps: ReconcilerDeps;
  readonly #shared: Shared;
  readonly #ctx: ApplyContext;
  readonly #loop: Loop;
  readonly #plan: Reconciler['plan'];

  constructor(deps: ReconcilerDeps, shared: Shared, ctx: ApplyContext, loop: Loop) {
    this.#deps = deps;
    this.#shared = shared;
    this.#ctx = ctx;
    this.#loop = loop;
    this.#plan = createPlanner(ctx, loop.signal);
  }

  async boot(): Promise<void> {
    await this.#loop.boot();
    this.#shared.upkeep?.start();
  }

  offer(order: Order): void {
    this.#loop.offer(order);
  }

  async rollback(): Promise<HistoryEntry> {
    return await this.#loop.rollback();
  }

  async refuseHeld({ manifest }: Order): Promise<void> {
    const hold = await this.#ctx.store.hold.read();
    if (hold !== undefined && !isEndedBy(hold, manifest)) throw new ProblemError('server.held', hold.reason);
  }

  async release(): Promise<string> {
    return await this.#loop.release();
  }

  async confirm(): Promise<void> {
    await this.#loop.confirm();
  }

  async plan(order: Order): Promise<readonly ReloadPlan[]> {
    return await this.#plan(order);
  }

  get state(): ReconcilerState {
    return { ...this.#loop.state, disk_problem: this.#shared.diskProblem };
  }

  onChange(listener: () => void): Disposable {
    const { listeners } = this.#shared;
    listeners.add(listener);
    return { [Symbol.dispose]: () => void listeners.delete(listener) };
  }

  async history(): Promise<readonly HistoryEntry[]> {
    return await Promise.resolve(historyOf(this.#ctx.store.journal.records).toReversed());
  }

  processes(): readonly AgentProcess[] {
    const { trials } = this.#shared;
    return [
      ...this.#ctx.units().flatMap(({ name, process }) => this.#describe(name, 'live', process)),
      ...this.#ctx
        .units()
        .flatMap(({ name, draining }) => draining.flatMap(({ process }) => this.#describe(name, 'draining', process))),
      ...[...trials].flatMap(([name, process]) => this.#describe(name, 'trial', process)),
    ];
  }

  async logs(name: string | undefined, lines: number): Promise<{ unit: string; line: string }[]> {
    const wanted = this.#ctx.units().filter((unit) => name === undefined || unit.name === name);
    if (name !== undefined && wanted.length === 0)
      throw new ProblemError('unit.not-found', `there is no unit "${name}"`);
    const tails = wanted.map(async (unit) => {
      const tail = await unit.logFile.tail(lines);
      return tail.map((line) => ({ unit: unit.name, line }));
    });
    return (await Promise.all(tails)).flat();
  }

  wayOut(): Way | undefined {
    const running = this.#ctx.units().filter(({ process }) => process?.isAlive === true);
    return running.flatMap(({ slot }) => slot?.report.probe ?? [])[0];
  }

  async renditions(): Promise<{ unit: string; digest: string; text: string }[]> {
    const found = this.#ctx.units().map(async ({ name, slot }) => {
      const digest = slot?.unit.config.digest;
      const bytes = digest === undefined ? undefined : await this.#ctx.store.blobs.read(digest);
      return digest === undefined || bytes === undefined ? [] : [{ unit: name, digest, text: bytes.toString('utf8') }];
    });
    return (await Promise.all(found)).flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
    await this.#shared.upkeep?.[Symbol.asyncDispose]();
    for (const unit of this.#ctx.units()) {
      if (this.#deps.stopEnginesOnDispose === true) {
        await unit.stop().catch((error: unknown) => {
          this.#deps.log.error('A unit could not be stopped', { unit: unit.name, ...errorFields(error) });
        });
      }
      await unit[Symbol.asyncDispose]();
    }
    await this.#ctx.mover[Symbol.asyncDispose]();
    this.#shared.listeners.clear();
  }

  #describe(unit: string, role: AgentProcess['role'], process: EngineProcess | undefined): AgentProcess[] {
    if (process?.isAlive !== true) return [];
    const { identity, startedAt, isAdopted: adopted } = process;
    const rss_bytes = this.#ctx.proc.rssBytes(identity.pid);
    return [{ unit, role, pid: identity.pid, started_at: isoTime(startedAt), adopted, rss_bytes }];
  }
}
