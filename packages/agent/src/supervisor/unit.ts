import type { ListenPort } from '@sbox/engines/sing-box/run';
import type { ReloadPlan, UnitStatus } from '@sbox/protocol';
import type { ProbeResult } from '../probe/probe.ts';
import { Drain, type Instance } from '../reload/drain.ts';
import { findEngines, unmark } from '../reload/find-engines.ts';
import { createTraffic } from '../reload/traffic.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { EngineProcess } from './engine-process.ts';
import { Keeper, type KeeperDeps } from './keeper.ts';
import type { LogFile } from './log-file.ts';
import { overlaps, portsNotHeld } from './ports.ts';
import type { Readiness } from './ready.ts';
import { createRunner } from './runner.ts';
import { Serving, type ServingDeps } from './serving.ts';
import { reload, resume, startAnew, swap, tell, type Swap, type Swapped, type UnitParts } from './succession.ts';

export type { UnexpectedEnd } from './keeper.ts';
export type { Swapped } from './succession.ts';

export interface UnitDeps extends ServingDeps, KeeperDeps {
  /** How long an engine may serve on what it has when another one has taken over. */
  readonly drainMs: number;
  readonly drainEveryMs: number;
}

/**
 * The one actor that starts, signals and stops a unit's engines, so that only one of them ever gets new connections: beside
 * it there may be one that is being proved, and some that drain.
 */
export class SupervisedUnit implements AsyncDisposable {
  readonly name: string;
  readonly logFile: LogFile;
  /** The last look through it. */
  probe: ProbeResult | undefined;
  /** Looks in a row at which its control API did not answer. */
  silent = 0;
  readonly #deps: UnitDeps;
  readonly #parts: UnitParts;

  constructor(deps: UnitDeps) {
    this.name = deps.name;
    this.logFile = deps.logFile;
    this.#deps = deps;
    const { clock, control, log, drainEveryMs: everyMs } = deps;
    const onChange = (ended: Instance | undefined): void => {
      deps.onChange();
      if (ended !== undefined) void traffic.onEnd(ended);
    };
    const drain = new Drain({ clock, control, log, everyMs, onChange });
    const traffic = createTraffic(deps, drain);
    const movement = { runner: createRunner(deps), drain, traffic };
    const serving = new Serving(deps, movement);
    this.#parts = { deps, ...movement, serving, keeper: new Keeper(deps, serving) };
  }

  get state(): UnitStatus['state'] {
    return this.#parts.serving.state;
  }

  get message(): string {
    return this.#parts.serving.message;
  }

  /** Unexpected ends since the agent came up. */
  get restarts(): number {
    return this.#parts.keeper.restarts;
  }

  /** What it runs, or should run. */
  get slot(): LiveSlot | undefined {
    return this.#parts.serving.slot;
  }

  /** The one that gets new connections. */
  get process(): EngineProcess | undefined {
    return this.#parts.serving.live?.process;
  }

  /** A signal makes the running engine read another slot. */
  get isLinked(): boolean {
    return this.#parts.serving.live?.isLinked === true;
  }

  get draining(): Drain['engines'] {
    return this.#parts.drain.engines;
  }

  /** How what runs took over. */
  get lastReload(): UnitStatus['reload'] {
    return this.#parts.serving.reload;
  }

  /** Engines of this unit that are ours to end. */
  get pids(): number[] {
    return this.#parts.serving.pids;
  }

  /** Remembers how a slot took over. */
  note(plan: ReloadPlan): void {
    const noted = this.#parts.serving.noteReload(plan, this.#deps.clock.now());
    this.#deps.log.info('How an engine took over', { ...noted });
    this.#deps.onChange();
  }

  /**
   * Ends what serves and starts this slot; tried once. What drains goes on unless it stands in the way.
   * @throws ProblemError `unit.failed` when the old one cannot be ended
   */
  async start(slot: LiveSlot): Promise<Readiness> {
    return await startAnew(this.#parts, slot);
  }

  /** Has the running engine read the new slot. A refused one leaves the old slot in use. */
  async reload(next: LiveSlot): Promise<Readiness> {
    return await reload(this.#parts, next);
  }

  /** Serves as this slot from now on without being touched: whoever calls has told the engine all that is new. */
  async tell(next: LiveSlot): Promise<Readiness> {
    return await tell(this.#parts, next);
  }

  /** Starts a second engine, and when that has proved itself, moves new connections to it. Else the old one serves on. */
  async swap(next: LiveSlot, how: Swap): Promise<Swapped> {
    return await swap(this.#parts, next, how);
  }

  /**
   * Moves new connections back to the engine of this slot, if that still drains: at once, and without a start.
   * @returns false when it is gone, or cannot be moved to
   */
  async resume(slot: LiveSlot): Promise<boolean> {
    return await resume(this.#parts, slot);
  }

  /** Ends what drains on these ports: they are another unit's from now on. @throws ProblemError `unit.failed` */
  async giveUp(ports: readonly ListenPort[]): Promise<void> {
    for (const engine of this.draining) {
      if (engine.slot.report.listens.some((own) => ports.some((port) => overlaps(own, port)))) {
        await this.#parts.drain.end(engine);
      }
    }
  }

  /** Finds the engines that an earlier agent started, and which of these slots serves. */
  async adopt(candidates: readonly LiveSlot[]): Promise<LiveSlot | undefined> {
    const { keeper, runner, drain, serving, traffic } = this.#parts;
    await keeper.stop();
    const { slots, startMs, clock, log } = this.#deps;
    const current = await slots.target(this.name, 'current');
    const search = { unit: this.name, directory: runner.directory, candidates, current, timeoutMs: startMs };
    const found = await findEngines(this.#deps, search);
    for (const { process } of found.others) {
      log.warn('An engine that never served is ended', { unit: this.name, pid: process.identity.pid });
      await process.stop();
    }
    await unmark(slots, this.name, found.draining);
    const latest = clock.now() + this.#deps.drainMs;
    for (const engine of found.draining) await drain.add(engine, Math.min(engine.until, latest));
    if (found.serving === undefined) return undefined;
    const { slot, process } = found.serving;
    serving.use(found.serving);
    await runner.point(slot);
    await slots.drain(this.name, slot.name, undefined).catch(() => {});
    serving.noteReload(slot.plan, process.startedAt);
    if (await traffic.isRoutedTo(slot)) {
      serving.show('running');
      return slot;
    }
    // Whoever uses it cannot reach it where it listens: better a short break than none at all.
    const { kind } = await serving.begin(slot);
    return kind === 'ready' ? serving.slot : undefined;
  }

  /** Whether the engine that lives answers for its slot. One that was not ready in time and is now counts as running. */
  async answers(): Promise<boolean> {
    const { serving } = this.#parts;
    const { live } = serving;
    if (live === undefined) return false;
    const { control, proc } = this.#deps;
    if ((await control.ask(live.slot.control)) !== 'ours') return false;
    if (serving.state !== 'failed' || serving.live !== live) return true;
    if (portsNotHeld(proc, live.process.identity.pid, live.slot.report.listens).length > 0) return false;
    serving.show('running');
    return true;
  }

  /** New connections come to what serves, as soon as that can be had. */
  async reroute(): Promise<void> {
    const { serving, traffic } = this.#parts;
    if (serving.live !== undefined) await traffic.retry(serving.live.slot);
  }

  /** From now on an end is followed by a new start; a unit that is down is started again at the pace of the policy. */
  async keep(slot: LiveSlot): Promise<void> {
    const { serving, keeper } = this.#parts;
    await keeper.stop();
    serving.want(slot);
    keeper.start(slot);
  }

  /** Ends all of it in order, for good. @throws ProblemError `unit.failed` */
  async stop(): Promise<void> {
    const { serving, keeper, drain, traffic } = this.#parts;
    await keeper.stop();
    await drain.endAll();
    await serving.end();
    serving.forget();
    await traffic.close();
    await this.#deps.records.remove(this.name).catch(() => {});
    serving.show('stopped');
  }

  /** Lets the engines run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { serving, keeper, drain } = this.#parts;
    await keeper.stop();
    await drain[Symbol.asyncDispose]();
    serving.live?.process.release();
  }
}
