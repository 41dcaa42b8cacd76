import path from 'node:path';
import { ProblemError, isoTime, messageOf, type Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { singBox } from '@sbox/engines/sing-box/run';
import type { UnitStatus } from '@sbox/protocol';
import type { ControlApi } from '../engines/control-api.ts';
import type { EngineFinder } from '../engines/find-engine.ts';
import type { ProbeResult } from '../probe/probe.ts';
import type { ProcessRecords } from '../state/process-records.ts';
import type { LiveSlot, Slots } from '../state/slots.ts';
import { adopt as adoptProcess, launch, type EngineProcess, type Exit, type ProcessDeps } from './engine-process.ts';
import { findProcessesWith } from './find-processes.ts';
import type { LogFile } from './log-file.ts';
import { portsNotHeld } from './ports.ts';
import { engineWords, untilReady, type Readiness } from './ready.ts';
import { decideRestart, freshRestartState, type RestartSettings, type RestartState } from './restart-policy.ts';

export interface UnitDeps extends ProcessDeps {
  readonly name: string;
  readonly stateDir: string;
  /** Where the engine's relative paths begin. */
  readonly workDir: string;
  readonly engines: EngineFinder;
  readonly slots: Slots;
  readonly records: ProcessRecords;
  readonly control: ControlApi;
  readonly logFile: LogFile;
  readonly log: Logger;
  readonly random: () => number;
  readonly startMs: number;
  readonly restart: RestartSettings;
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

/** The one actor that starts, signals and stops a unit's engine, so that there are never two of them. */
export class SupervisedUnit implements AsyncDisposable {
  readonly name: string;
  readonly logFile: LogFile;
  /** The last look through it. */
  probe: ProbeResult | undefined;
  /** Looks in a row at which its control API did not answer. */
  silent = 0;
  readonly #deps: UnitDeps;
  /** Everything that runs with a file below it is a copy of this unit. */
  readonly #directory: string;
  #process: EngineProcess | undefined;
  #slot: LiveSlot | undefined;
  /** It was started with the file behind the link `current`, so that a signal makes it read what the link shows then. */
  #isLinked = false;
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
    this.#directory = path.join(deps.stateDir, 'slots', deps.name);
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

  get process(): EngineProcess | undefined {
    return this.#process;
  }

  /** Ends what runs and starts this slot; tried once. @throws ProblemError `unit.failed` when the old one cannot be ended */
  async start(slot: LiveSlot): Promise<Readiness> {
    await this.#stopWatching();
    this.#policy = freshRestartState;
    return await this.#begin(slot);
  }

  /** Has the running engine read the new slot. A refused one leaves the old slot in use. */
  async reload(next: LiveSlot): Promise<Readiness> {
    const [process, before] = [this.#process, this.#slot];
    if (process?.isAlive !== true || before === undefined || !this.#isLinked) return await this.start(next);
    await this.#stopWatching();
    const { slots, control } = this.#deps;
    await slots.point(this.name, 'current', next.name);
    this.#logStart = await this.logFile.size();
    this.#slot = next;
    // Only once, and never again before it is ready: a second one while it starts ends it.
    process.signal('SIGHUP');
    const readiness = await this.#untilReady(process, next);
    if (readiness.kind !== 'refused') return readiness;
    await slots.point(this.name, 'current', before.name);
    this.#slot = before;
    // It may have read the file in the very last moment.
    if ((await control.ask(before.control)) !== 'ours') return { kind: 'late', words: readiness.words };
    this.#show('running');
    return readiness;
  }

  /** Finds the engine that an earlier agent started, and which of these slots it runs. */
  async adopt(candidates: readonly LiveSlot[]): Promise<LiveSlot | undefined> {
    await this.#stopWatching();
    const { proc, records, clock, slots } = this.#deps;
    const [identity, ...others] = findProcessesWith(proc, this.#directory);
    // More than one is a fault of the past: none of them can be trusted, and a start ends them all.
    if (identity === undefined || others.length > 0) return undefined;
    const known = await records.read(this.name).catch(() => undefined);
    const isKnown = known?.starttime === identity.starttime && known.boot_id === identity.boot_id;
    const found = adoptProcess(this.#deps, identity, isKnown ? known.started_at : clock.now());
    const slot = await this.#findAnswering(found, candidates);
    if (slot === undefined) {
      found.release();
      return undefined;
    }
    [this.#process, this.#slot] = [found, slot];
    this.#isLinked = proc.argumentsOf(identity.pid).includes(slots.liveFile(this.name));
    await this.#point(slot);
    this.#show('running');
    return slot;
  }

  /** Whether the engine that lives answers for its slot. One that was not ready in time and is now counts as running. */
  async answers(): Promise<boolean> {
    const [process, slot] = [this.#process, this.#slot];
    if (process === undefined || slot === undefined) return false;
    const { control, proc } = this.#deps;
    if ((await control.ask(slot.control)) !== 'ours') return false;
    if (this.#state !== 'failed' || this.#process !== process) return true;
    if (portsNotHeld(proc, process.identity.pid, slot.report.listens).length > 0) return false;
    this.#show('running');
    return true;
  }

  /** From now on an end is followed by a new start; a unit that is down is started again at the pace of the policy. */
  async keep(slot: LiveSlot): Promise<void> {
    await this.#stopWatching();
    this.#slot = slot;
    const abort = new AbortController();
    this.#watching = { abort, done: this.#watch(slot, abort.signal) };
  }

  /** Ends it in order, for good. @throws ProblemError `unit.failed` */
  async stop(): Promise<void> {
    await this.#stopWatching();
    await this.#end();
    this.#slot = undefined;
    await this.#deps.records.remove(this.name).catch(() => {});
    this.#show('stopped');
  }

  /** Lets the engine run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stopWatching();
    this.#process?.release();
  }

  #show(state: State, message = ''): void {
    [this.#state, this.#message] = [state, message];
    this.#deps.onChange();
  }

  async #stopWatching(): Promise<void> {
    this.#watching?.abort.abort(new ProblemError('command.failed', 'overtaken'));
    await this.#watching?.done;
    this.#watching = undefined;
  }

  async #begin(slot: LiveSlot): Promise<Readiness> {
    await this.#end();
    this.#slot = slot;
    this.#show('starting');
    const { slots, engines, workDir } = this.#deps;
    try {
      this.#isLinked = await this.#point(slot);
      const file = this.#isLinked ? slots.liveFile(this.name) : slots.configFile(this.name, slot.name);
      const engine = await engines.find();
      this.#logStart = await this.logFile.size();
      const { args } = singBox.runCommand(file, workDir);
      this.#process = await launch(this.#deps, { program: engine.path, args, cwd: workDir, log: this.logFile });
    } catch (error) {
      this.#show('failed', messageOf(error));
      return { kind: 'exited', words: messageOf(error) };
    }
    await this.#remember(this.#process, slot);
    return await this.#untilReady(this.#process, slot);
  }

  /** False on a disk that takes no more writes: that must not keep a unit down. */
  async #point(slot: LiveSlot): Promise<boolean> {
    const { slots, log } = this.#deps;
    try {
      if ((await slots.target(this.name, 'current')) !== slot.name) await slots.point(this.name, 'current', slot.name);
      return true;
    } catch (error) {
      log.error('The link to the slot could not be changed', { unit: this.name, ...errorFields(error) });
      return false;
    }
  }

  async #remember(started: EngineProcess, { unit, engine }: LiveSlot): Promise<void> {
    const { records, log } = this.#deps;
    const record = { ...started.identity, started_at: started.startedAt, digest: unit.config.digest, engine };
    await records.put(this.name, record).catch((error: unknown) => {
      // It is found by its command line too.
      log.warn('The pid could not be written down', { unit: this.name, ...errorFields(error) });
    });
  }

  async #untilReady(process: EngineProcess, { control, report }: LiveSlot): Promise<Readiness> {
    const { startMs: timeoutMs } = this.#deps;
    const [log, logStart] = [this.logFile, this.#logStart];
    const readiness = await untilReady(this.#deps, {
      process,
      control,
      listens: report.listens,
      timeoutMs,
      log,
      logStart,
    });
    if (readiness.kind === 'ready') this.#show('running');
    else this.#show('failed', readiness.words);
    return readiness;
  }

  /** Afterwards nothing runs from our directory, whoever started it. */
  async #end(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
    const { proc, log, clock } = this.#deps;
    for (const identity of findProcessesWith(proc, this.#directory)) {
      log.warn('An engine that nobody watched is ended', { unit: this.name, pid: identity.pid });
      await adoptProcess(this.#deps, identity, clock.now()).stop();
    }
  }

  /** It may be starting just now, so that the first answer can take a while. */
  async #findAnswering(found: EngineProcess, candidates: readonly LiveSlot[]): Promise<LiveSlot | undefined> {
    const { clock, control, proc, startMs } = this.#deps;
    const deadline = clock.monotonic() + startMs;
    while (found.isAlive && clock.monotonic() < deadline) {
      for (const candidate of candidates) {
        const isOurs = (await control.ask(candidate.control)) === 'ours';
        if (isOurs && portsNotHeld(proc, found.identity.pid, candidate.report.listens).length === 0) return candidate;
      }
      await clock.sleep(50);
    }
    return undefined;
  }

  /** Runs until it is told to stop; whatever ends is started again, at the pace that the policy gives. */
  async #watch(slot: LiveSlot, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const process = this.#process;
      const exit = process === undefined ? neverStarted : await orAborted(process.exited, signal);
      if (exit === undefined) return;
      const delayMs = await this.#judge(slot, exit);
      if (!(await sleepUnless(this.#deps.clock, delayMs, signal))) return;
      try {
        const { kind } = await this.#begin(slot);
        if (kind !== 'ready') await this.#end();
      } catch (error) {
        this.#show('failed', messageOf(error));
      }
    }
  }

  async #judge(slot: LiveSlot, exit: Exit): Promise<number> {
    const { clock, random, restart, log, onEnd } = this.#deps;
    this.#process = undefined;
    this.#restarts += 1;
    const ended = { at: clock.monotonic(), uptimeMs: exit.uptimeMs, random: random() };
    const { state, delayMs, isCrashLoop } = decideRestart(this.#policy, ended, restart);
    this.#policy = state;
    const words = (await engineWords(this.logFile, this.#logStart).catch(() => '')) || howOf(exit);
    this.#show(isCrashLoop ? 'crash-loop' : 'backoff', `${words}; next start at ${isoTime(clock.now() + delayMs)}`);
    log.warn('An engine ended by itself', { unit: this.name, ...exit, words, delay_ms: delayMs });
    onEnd({ unit: this.name, slot: slot.name, words, isCrashLoop });
    return delayMs;
  }
}

const neverStarted: Exit = { code: null, signal: null, uptimeMs: 0 };

const howOf = ({ code, signal }: Exit): string =>
  signal === null ? (code === null ? 'it ended' : `it ended with code ${code}`) : `it was ended by ${signal}`;

async function orAborted<T>(wanted: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  signal.addEventListener('abort', abort, { once: true });
  return await Promise.race([wanted, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

async function sleepUnless(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return await clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}
