import { isoTime, messageOf } from '@sbox/core';
import type { ReloadPlan, UnitStatus } from '@sbox/protocol';
import type { Drain, Instance } from '../reload/drain.ts';
import type { Mover } from '../reload/mover.ts';
import { asDone } from '../reload/plan.ts';
import { untilQuiet } from '../reload/quiet.ts';
import { needsEndOf, type Traffic } from '../reload/traffic.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { EngineProcess } from './engine-process.ts';
import type { Readiness } from './ready.ts';
import type { Runner, RunnerDeps } from './runner.ts';

export interface ServingDeps extends RunnerDeps {
  readonly mover: Mover;
  /** Lays a slot out anew on the ports that programs use, where nothing can send connections to its own. */
  readonly unshift: (slot: LiveSlot) => Promise<LiveSlot>;
  /** Something about the unit changed. */
  readonly onChange: () => void;
}

/** What moves a unit's engines and their connections. */
export interface Movement {
  readonly runner: Runner;
  readonly drain: Drain;
  readonly traffic: Traffic;
}

type State = UnitStatus['state'];

/** The engine of a unit that gets new connections: which one it is, how that shows, and how it starts and ends. */
export class Serving {
  /** Size of the log before what serves began, or was last told to read its file. */
  logStart = 0;
  readonly #deps: ServingDeps;
  readonly #movement: Movement;
  #live: Instance | undefined;
  #slot: LiveSlot | undefined;
  #reload: UnitStatus['reload'] = null;
  #state: State = 'stopped';
  #message = '';

  constructor(deps: ServingDeps, movement: Movement) {
    this.#deps = deps;
    this.#movement = movement;
  }

  get live(): Instance | undefined {
    return this.#live;
  }

  /** What it runs, or should run. */
  get slot(): LiveSlot | undefined {
    return this.#slot;
  }

  get state(): State {
    return this.#state;
  }

  get message(): string {
    return this.#message;
  }

  /** How what runs took over. */
  get reload(): UnitStatus['reload'] {
    return this.#reload;
  }

  /** Engines of the unit that are ours to end. */
  get pids(): number[] {
    const processes = [this.#live?.process, ...this.#movement.drain.engines.map(({ process }) => process)];
    return processes.flatMap((process) => (process?.isAlive === true ? [process.identity.pid] : []));
  }

  show(state: State, message = ''): void {
    [this.#state, this.#message] = [state, message];
    this.#deps.onChange();
  }

  use(instance: Instance): void {
    this.#live = instance;
    this.#slot = instance.slot;
  }

  /** This is the slot to run, whatever runs now. */
  want(slot: LiveSlot): void {
    // What was laid out anew meanwhile is what runs; whoever calls may know only what the order says of it.
    this.#slot = slot.name === this.#slot?.name ? { ...this.#slot, unit: slot.unit } : slot;
    if (this.#live?.slot.name === slot.name) this.#live = { ...this.#live, slot: this.#slot };
  }

  /** It ended by itself. */
  lose(): void {
    this.#live = undefined;
  }

  /** Nothing runs, and nothing should. */
  forget(): void {
    this.#slot = undefined;
    this.#reload = null;
  }

  /** Remembers how a slot took over, and when. */
  noteReload(plan: ReloadPlan | undefined, at: number): UnitStatus['reload'] {
    this.#reload = plan === undefined ? null : { ...asDone(plan), at: isoTime(at) };
    return this.#reload;
  }

  /**
   * Starts an engine for this slot in place of what serves. All that can be is done before the old one ends: meanwhile
   * nobody serves.
   * @throws what went wrong while the old one serves on
   */
  async begin(wanted: LiveSlot): Promise<Readiness> {
    const { runner, traffic } = this.#movement;
    await runner.endOthers(this.pids);
    const [state, message] = [this.#state, this.#message];
    this.#slot = wanted;
    this.show('starting');
    try {
      if (needsEndOf(this.#deps.mover, this.#live?.slot, wanted)) await this.#endLive();
      const slot = (await traffic.isRoutedTo(wanted)) ? wanted : await this.#deps.unshift(wanted);
      this.#slot = slot;
      await traffic.clear(slot);
      await runner.point(slot);
      await this.#endLive();
      const live = await runner.launch(slot);
      this.use(live);
      this.logStart = live.logStart;
      await runner.remember(live);
      return await this.untilReady(live.process, live.slot);
    } catch (error) {
      const live = this.#live;
      if (live?.process.isAlive === true) {
        this.#slot = live.slot;
        await traffic.isRoutedTo(live.slot);
        this.show(state, message);
        throw error;
      }
      this.show('failed', messageOf(error));
      return { kind: 'exited', words: messageOf(error) };
    }
  }

  async untilReady(process: EngineProcess, slot: LiveSlot): Promise<Readiness> {
    const readiness = await this.#movement.runner.waitFor({ process, slot, logStart: this.logStart });
    if (readiness.kind === 'ready') this.show('running');
    else this.show('failed', readiness.words);
    return readiness;
  }

  /** Afterwards nothing runs from our directory but what drains, whoever started it. @throws ProblemError `unit.failed` */
  async end(): Promise<void> {
    await this.#live?.process.stop();
    this.#live = undefined;
    await this.#movement.runner.endOthers(this.pids);
  }

  async #endLive(): Promise<void> {
    const live = this.#live;
    if (live?.process.isAlive === true) await untilQuiet(this.#deps, live.slot.control);
    await live?.process.stop();
    this.#live = undefined;
  }
}
