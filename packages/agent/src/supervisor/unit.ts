import { ProblemError, isoTime, messageOf } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import type { ReloadPlan, Unit, UnitStatus } from '@sbox/protocol';
import type { ProbeResult } from '../probe/probe.ts';
import { Drain, sleepUnless, type Instance } from '../reload/drain.ts';
import { findEngines, unmark } from '../reload/find-engines.ts';
import { asDone } from '../reload/plan.ts';
import { untilQuiet } from '../reload/quiet.ts';
import { createTraffic, needsEndOf, type Traffic } from '../reload/traffic.ts';
import type { Mover } from '../reload/mover.ts';
import { laneOf, type LiveSlot } from '../state/slots.ts';
import type { EngineProcess, Exit } from './engine-process.ts';
import { whyEnded } from './exit.ts';
import type { LogFile } from './log-file.ts';
import { overlaps, portsNotHeld } from './ports.ts';
import { engineWords, type Readiness } from './ready.ts';
import { decideRestart, freshRestartState, type RestartSettings, type RestartState } from './restart-policy.ts';
import { createRunner, type Runner, type RunnerDeps } from './runner.ts';

export interface UnitDeps extends RunnerDeps {
  readonly mover: Mover;
  /** Lays a slot out anew on the ports that programs use, where nothing can send connections to its own. */
  readonly unshift: (slot: LiveSlot) => Promise<LiveSlot>;
  readonly random: () => number;
  /** How long an engine may serve on what it has when another one has taken over. */
  readonly drainMs: number;
  readonly drainEveryMs: number;
  readonly restart: RestartSettings;
  /** Name of a unit that this one depends on and that does not run. */
  readonly heldBy: (unit: Unit) => string | undefined;
  /** Something about the unit changed. */
  readonly onChange: () => void;
  /** It ended though nobody asked it to. */
  readonly onEnd: (end: UnexpectedEnd) => void;
}

export interface UnexpectedEnd {
  readonly unit: string;
  readonly slot: string;
  readonly words: string;
  readonly isCrashLoop: boolean;
}

type State = UnitStatus['state'];

/** What a take-over by a second engine came to. `unmovable`: connections could not be moved; the old one serves on. */
export type Swapped = Readiness | { readonly kind: 'unmovable'; readonly words: string };

export interface Swap {
  /** Both listen on the same ports, so that nothing has to be moved, and the old one cannot serve on. */
  readonly isOverlap: boolean;
  /** Undefined: requests go through it as they should. Called before any connection is moved to it. */
  readonly prove: () => Promise<string | undefined>;
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
  readonly #drain: Drain;
  readonly #runner: Runner;
  readonly #traffic: Traffic;
  #live: Instance | undefined;
  #slot: LiveSlot | undefined;
  #reload: UnitStatus['reload'] = null;
  #policy: RestartState = freshRestartState;
  #state: State = 'stopped';
  #message = '';
  #restarts = 0;
  #logStart = 0;
  #watching: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(deps: UnitDeps) {
    this.name = deps.name;
    this.logFile = deps.logFile;
    this.#deps = deps;
    this.#runner = createRunner(deps);
    const { clock, control, log, drainEveryMs: everyMs } = deps;
    const onChange = (ended: Instance | undefined): void => {
      deps.onChange();
      if (ended !== undefined) void this.#traffic.onEnd(ended);
    };
    this.#drain = new Drain({ clock, control, log, everyMs, onChange });
    this.#traffic = createTraffic(deps, this.#drain);
  }

  get state(): State {
    return this.#state;
  }

  get message(): string {
    return this.#message;
  }

  /** Unexpected ends since the agent came up. */
  get restarts(): number {
    return this.#restarts;
  }

  /** What it runs, or should run. */
  get slot(): LiveSlot | undefined {
    return this.#slot;
  }

  /** The one that gets new connections. */
  get process(): EngineProcess | undefined {
    return this.#live?.process;
  }

  /** A signal makes the running engine read another slot. */
  get isLinked(): boolean {
    return this.#live?.isLinked === true;
  }

  get draining(): Drain['engines'] {
    return this.#drain.engines;
  }

  /** How what runs took over. */
  get lastReload(): UnitStatus['reload'] {
    return this.#reload;
  }

  /** Engines of this unit that are ours to end. */
  get pids(): number[] {
    const processes = [this.#live?.process, ...this.draining.map(({ process }) => process)];
    return processes.flatMap((process) => (process?.isAlive === true ? [process.identity.pid] : []));
  }

  /** Remembers how a slot took over. */
  note(plan: ReloadPlan): void {
    this.#reload = { ...asDone(plan), at: isoTime(this.#deps.clock.now()) };
    this.#deps.log.info('How an engine took over', { ...this.#reload });
    this.#deps.onChange();
  }

  /**
   * Ends what serves and starts this slot; tried once. What drains goes on unless it stands in the way.
   * @throws ProblemError `unit.failed` when the old one cannot be ended
   */
  async start(slot: LiveSlot): Promise<Readiness> {
    await this.#stopWatching();
    this.#policy = freshRestartState;
    return await this.#begin(slot);
  }

  /** Has the running engine read the new slot. A refused one leaves the old slot in use. */
  async reload(next: LiveSlot): Promise<Readiness> {
    const before = this.#live;
    if (before?.process.isAlive !== true || !before.isLinked || laneOf(before.slot) !== laneOf(next)) {
      return await this.start(next);
    }
    // One that hangs does not read its file either.
    if ((await this.#deps.control.ask(before.slot.control)) === 'nobody') return await this.start(next);
    await this.#stopWatching();
    await this.#traffic.clear(next);
    await this.#runner.point(next);
    this.#logStart = await this.logFile.size();
    this.#use({ ...before, slot: next });
    await untilQuiet(this.#deps, before.slot.control);
    // Only once, and never again before it is ready: a second one while it starts ends it.
    before.process.signal('SIGHUP');
    const readiness = await this.#untilReady(before.process, next);
    if (readiness.kind === 'ready') {
      this.#policy = freshRestartState;
      await this.#traffic.routeTo(next);
    }
    if (readiness.kind !== 'refused') return readiness;
    await this.#runner.point(before.slot);
    this.#use(before);
    // It may have read the file in the very last moment.
    if ((await this.#deps.control.ask(before.slot.control)) !== 'ours') return { kind: 'late', words: readiness.words };
    this.#show('running');
    return readiness;
  }

  /** Serves as this slot from now on without being touched: whoever calls has told the engine all that is new. */
  async tell(next: LiveSlot): Promise<Readiness> {
    const live = this.#live;
    if (live?.process.isAlive !== true) return await this.start(next);
    await this.#stopWatching();
    await this.#runner.point(next);
    this.#use({ ...live, slot: next });
    this.#show('running');
    return { kind: 'ready' };
  }

  /** Starts a second engine, and when that has proved itself, moves new connections to it. Else the old one serves on. */
  async swap(next: LiveSlot, { isOverlap, prove }: Swap): Promise<Swapped> {
    const before = this.#live;
    if (before?.process.isAlive !== true) return await this.start(next);
    await this.#stopWatching();
    if (laneOf(before.slot) === laneOf(next)) return { kind: 'unmovable', words: 'the lane is taken' };
    if (!isOverlap) await this.#traffic.clear(next);
    const candidate = await this.#runner.launch(next);
    try {
      const readiness = await this.#runner.waitFor(candidate);
      if (readiness.kind !== 'ready') return await this.#giveUp(candidate, { kind: 'refused', words: readiness.words });
      const problem = await prove();
      if (problem !== undefined) return await this.#giveUp(candidate, { kind: 'unproved', words: problem });
      await this.#traffic.handOver(before, candidate, isOverlap);
      this.#use(candidate);
      await this.#runner.remember(candidate);
    } catch (error) {
      return await this.#giveUp(candidate, { kind: 'unmovable', words: messageOf(error) });
    }
    if (isOverlap) {
      await untilQuiet(this.#deps, before.slot.control);
      await before.process.stop();
    }
    this.#logStart = candidate.logStart;
    this.#policy = freshRestartState;
    this.#show('running');
    return { kind: 'ready' };
  }

  /**
   * Moves new connections back to the engine of this slot, if that still drains: at once, and without a start.
   * @returns false when it is gone, or cannot be moved to
   */
  async resume(slot: LiveSlot): Promise<boolean> {
    const found = this.draining.find((one) => one.slot.name === slot.name);
    if (found === undefined || (await this.#deps.control.ask(found.slot.control)) !== 'ours') return false;
    await this.#stopWatching();
    const instance = await this.#drain.take(slot.name);
    if (instance === undefined) return false;
    const failed = this.#live;
    try {
      await this.#traffic.handOver(failed, instance, false);
      this.#use({ ...instance, slot });
      this.#policy = freshRestartState;
      await this.#runner.remember(instance);
    } catch (error) {
      this.#deps.log.error('Connections could not be moved back', { unit: this.name, ...errorFields(error) });
      await this.#drain.add(instance, found.until);
      return false;
    }
    const busy = this.draining.find(({ process }) => process === failed?.process);
    // One that says nothing, or has nothing, is not worth waiting for.
    const carried = busy && (await this.#deps.control.connections(busy.slot.control).catch(() => undefined));
    if (busy !== undefined && !carried?.open) await this.#drain.end(busy);
    this.#show('running');
    return true;
  }

  /** Ends what drains on these ports: they are another unit's from now on. @throws ProblemError `unit.failed` */
  async giveUp(ports: readonly ListenPort[]): Promise<void> {
    for (const engine of this.draining) {
      if (engine.slot.report.listens.some((own) => ports.some((port) => overlaps(own, port)))) {
        await this.#drain.end(engine);
      }
    }
  }

  /** Finds the engines that an earlier agent started, and which of these slots serves. */
  async adopt(candidates: readonly LiveSlot[]): Promise<LiveSlot | undefined> {
    await this.#stopWatching();
    const { slots, startMs } = this.#deps;
    const current = await slots.target(this.name, 'current');
    const search = { unit: this.name, directory: this.#runner.directory, candidates, current, timeoutMs: startMs };
    const { serving, draining, others } = await findEngines(this.#deps, search);
    for (const { process } of others) {
      this.#deps.log.warn('An engine that never served is ended', { unit: this.name, pid: process.identity.pid });
      await process.stop();
    }
    await unmark(slots, this.name, draining);
    const latest = this.#deps.clock.now() + this.#deps.drainMs;
    for (const engine of draining) await this.#drain.add(engine, Math.min(engine.until, latest));
    if (serving === undefined) return undefined;
    this.#use(serving);
    await this.#runner.point(serving.slot);
    await slots.drain(this.name, serving.slot.name, undefined).catch(() => {});
    const { plan } = serving.slot;
    this.#reload = plan === undefined ? null : { ...asDone(plan), at: isoTime(serving.process.startedAt) };
    if (!(await this.#traffic.isRoutedTo(serving.slot))) return await this.#restartUnshifted(serving.slot);
    this.#show('running');
    return serving.slot;
  }

  /** Whether the engine that lives answers for its slot. One that was not ready in time and is now counts as running. */
  async answers(): Promise<boolean> {
    const live = this.#live;
    if (live === undefined) return false;
    const { control, proc } = this.#deps;
    if ((await control.ask(live.slot.control)) !== 'ours') return false;
    if (this.#state !== 'failed' || this.#live !== live) return true;
    if (portsNotHeld(proc, live.process.identity.pid, live.slot.report.listens).length > 0) return false;
    this.#show('running');
    return true;
  }

  /** New connections come to what serves, as soon as that can be had. */
  async reroute(): Promise<void> {
    if (this.#live !== undefined) await this.#traffic.retry(this.#live.slot);
  }

  /** From now on an end is followed by a new start; a unit that is down is started again at the pace of the policy. */
  async keep(slot: LiveSlot): Promise<void> {
    await this.#stopWatching();
    // What was laid out anew meanwhile is what runs; whoever calls may know only what the order says of it.
    this.#slot = slot.name === this.#slot?.name ? { ...this.#slot, unit: slot.unit } : slot;
    if (this.#live?.slot.name === slot.name) this.#live = { ...this.#live, slot: this.#slot };
    const abort = new AbortController();
    this.#watching = { abort, done: this.#watch(slot, abort.signal) };
  }

  /** Ends all of it in order, for good. @throws ProblemError `unit.failed` */
  async stop(): Promise<void> {
    await this.#stopWatching();
    await this.#drain.endAll();
    await this.#end();
    this.#slot = undefined;
    this.#reload = null;
    await this.#traffic.close();
    await this.#deps.records.remove(this.name).catch(() => {});
    this.#show('stopped');
  }

  /** Lets the engines run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopWatching();
    await this.#drain[Symbol.asyncDispose]();
    this.#live?.process.release();
  }

  #show(state: State, message = ''): void {
    [this.#state, this.#message] = [state, message];
    this.#deps.onChange();
  }

  #use(instance: Instance): void {
    this.#live = instance;
    this.#slot = instance.slot;
  }

  async #stopWatching(): Promise<void> {
    this.#watching?.abort.abort(new ProblemError('command.failed', 'overtaken'));
    await this.#watching?.done;
    this.#watching = undefined;
  }

  /** All that can be is done before the old one ends: meanwhile nobody serves. */
  async #begin(wanted: LiveSlot): Promise<Readiness> {
    await this.#runner.endOthers(this.pids);
    const [state, message] = [this.#state, this.#message];
    this.#slot = wanted;
    this.#show('starting');
    try {
      if (needsEndOf(this.#deps.mover, this.#live?.slot, wanted)) await this.#endLive();
      const slot = (await this.#traffic.isRoutedTo(wanted)) ? wanted : await this.#deps.unshift(wanted);
      this.#slot = slot;
      await this.#traffic.clear(slot);
      await this.#runner.point(slot);
      await this.#endLive();
      const live = await this.#runner.launch(slot);
      this.#use(live);
      this.#logStart = live.logStart;
      await this.#runner.remember(live);
      return await this.#untilReady(live.process, live.slot);
    } catch (error) {
      const live = this.#live;
      if (live?.process.isAlive === true) {
        this.#slot = live.slot;
        await this.#traffic.isRoutedTo(live.slot);
        this.#show(state, message);
        throw error;
      }
      this.#show('failed', messageOf(error));
      return { kind: 'exited', words: messageOf(error) };
    }
  }

  async #giveUp<T>(candidate: Instance, answer: T): Promise<T> {
    await candidate.process.stop();
    return answer;
  }

  /** Whoever uses it cannot reach it where it listens: better a short break than none at all. */
  async #restartUnshifted(slot: LiveSlot): Promise<LiveSlot | undefined> {
    const { kind } = await this.#begin(slot);
    return kind === 'ready' ? this.#slot : undefined;
  }

  async #untilReady(process: EngineProcess, slot: LiveSlot): Promise<Readiness> {
    const readiness = await this.#runner.waitFor({ process, slot, logStart: this.#logStart });
    if (readiness.kind === 'ready') this.#show('running');
    else this.#show('failed', readiness.words);
    return readiness;
  }

  async #endLive(): Promise<void> {
    const live = this.#live;
    if (live?.process.isAlive === true) await untilQuiet(this.#deps, live.slot.control);
    await live?.process.stop();
    this.#live = undefined;
  }

  /** Afterwards nothing runs from our directory but what drains, whoever started it. */
  async #end(): Promise<void> {
    await this.#live?.process.stop();
    this.#live = undefined;
    await this.#runner.endOthers(this.pids);
  }

  /** Runs until it is told to stop; whatever ends is started again, at the pace that the policy gives. */
  async #watch(slot: LiveSlot, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const process = this.#live?.process;
      const exit = process === undefined ? neverStarted : await orAborted(process.exited, signal);
      if (exit === undefined) return;
      const isHeld = process === undefined && this.#deps.heldBy(slot.unit) !== undefined;
      const delayMs = isHeld ? 0 : await this.#judge(slot, exit);
      if (!(await sleepUnless(this.#deps.clock, delayMs, signal)) || !(await this.#untilFree(slot, signal))) return;
      try {
        const { kind } = await this.#begin(this.#slot ?? slot);
        if (kind !== 'ready') await this.#end();
      } catch (error) {
        this.#show('failed', messageOf(error));
      }
    }
  }

  /** While a unit that it depends on does not run, it is not started; what runs is not ended for that. */
  async #untilFree({ unit }: LiveSlot, signal: AbortSignal): Promise<boolean> {
    for (let shown = ''; ;) {
      const holder = this.#deps.heldBy(unit);
      if (holder === undefined) return !signal.aborted;
      if (holder !== shown) this.#show('backoff', `waits for unit "${holder}", which does not run`);
      shown = holder;
      if (!(await sleepUnless(this.#deps.clock, heldEveryMs, signal))) return false;
    }
  }

  async #judge(slot: LiveSlot, exit: Exit): Promise<number> {
    const { clock, random, restart, log, onEnd } = this.#deps;
    this.#live = undefined;
    this.#restarts += 1;
    const ended = { at: clock.monotonic(), uptimeMs: exit.uptimeMs, random: random() };
    const { state, delayMs, isCrashLoop } = decideRestart(this.#policy, ended, restart);
    this.#policy = state;
    const said = await engineWords(this.logFile, this.#logStart, exit.reason !== 'code').catch(() => '');
    const words = whyEnded(exit, said);
    this.#show(isCrashLoop ? 'crash-loop' : 'backoff', `${words}; next start at ${isoTime(clock.now() + delayMs)}`);
    log.warn('An engine ended by itself', { unit: this.name, ...exit, words, delay_ms: delayMs });
    onEnd({ unit: this.name, slot: slot.name, words, isCrashLoop });
    return delayMs;
  }
}

const heldEveryMs = 250;

const neverStarted: Exit = { code: null, signal: null, uptimeMs: 0, reason: 'unknown' };

async function orAborted<T>(wanted: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  return await Promise.race([wanted, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}
