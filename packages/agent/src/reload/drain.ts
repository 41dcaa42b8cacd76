import { ProblemError, isoTime, type Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { UnitStatus } from '@sbox/protocol';
import type { ControlApi } from '../engines/control-api.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { EngineProcess } from '../supervisor/engine-process.ts';
import { maxDraining } from './plan.ts';
import { untilQuiet } from './quiet.ts';

/** One running engine of a unit. */
export interface Instance {
  readonly process: EngineProcess;
  readonly slot: LiveSlot;
  /** It was started with a file behind a link, so that a signal makes it read what the link shows then. */
  readonly isLinked: boolean;
  /** Size of the log before it began. */
  readonly logStart: number;
}

export interface DrainingEngine extends Instance {
  /** Null until it could be asked. */
  readonly connections: number | null;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface DrainDeps {
  readonly clock: Clock;
  readonly control: ControlApi;
  readonly log: Logger;
  /** Between two looks at one. */
  readonly everyMs: number;
  /** One is gone, or there is something new to show. */
  readonly onChange: (ended: Instance | undefined) => void;
}

/** Engines of one unit that get no new connections and run until those they have are over. */
export class Drain implements AsyncDisposable {
  readonly #deps: DrainDeps;
  readonly #engines = new Map<string, Entry>();

  constructor(deps: DrainDeps) {
    this.#deps = deps;
  }

  get engines(): readonly DrainingEngine[] {
    return [...this.#engines.values()].map(({ engine }) => engine);
  }

  /** When there are too many now, the one with the fewest connections ends. */
  async add(instance: Instance, until: number): Promise<void> {
    const leaving = new AbortController();
    const entry: Entry = { engine: { ...instance, connections: null, until }, leaving, done: Promise.resolve() };
    this.#engines.set(instance.slot.name, entry);
    if (this.#engines.size > maxDraining) await this.#makeRoom(instance);
    entry.done = this.#watch(entry, leaving.signal);
  }

  /** Takes one out and leaves it running; undefined when it is not there, or dead. */
  async take(slot: string): Promise<Instance | undefined> {
    const entry = await this.#remove(slot);
    return entry?.engine.process.isAlive === true ? entry.engine : undefined;
  }

  /** @throws ProblemError `unit.failed` when it cannot be ended */
  async end({ slot, process }: Instance): Promise<void> {
    const entry = await this.#remove(slot.name);
    await process.stop();
    if (entry !== undefined) this.#deps.onChange(entry.engine);
  }

  async endAll(): Promise<void> {
    for (const engine of this.engines) await this.end(engine);
  }

  /** Lets them run on. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { slot, process } of this.engines) {
      await this.#remove(slot.name);
      process.release();
    }
  }

  /** Asked now: what was seen last may be from before the engine drained. */
  async #makeRoom(newest: Instance): Promise<void> {
    const { control } = this.#deps;
    const others = this.engines.filter(({ slot }) => slot.name !== newest.slot.name);
    const counted = others.map(async (engine) => {
      const open = await control.connections(engine.slot.control).then(
        (carried) => carried.open,
        () => 0,
      );
      return { engine, open };
    });
    const [few] = (await Promise.all(counted)).toSorted((a, b) => a.open - b.open);
    if (few === undefined) return;
    await untilQuiet(this.#deps, few.engine.slot.control);
    await this.end(few.engine).catch((error: unknown) => this.#warn(few.engine, error));
  }

  async #remove(slot: string): Promise<Entry | undefined> {
    const entry = this.#engines.get(slot);
    this.#engines.delete(slot);
    entry?.leaving.abort(new ProblemError('command.failed', 'taken out'));
    await entry?.done;
    return entry;
  }

  #warn({ slot }: Instance, error: unknown): void {
    this.#deps.log.error('An engine that drained could not be ended', { unit: slot.unit.name, ...errorFields(error) });
  }

  async #watch(entry: Entry, signal: AbortSignal): Promise<void> {
    const { clock, log, everyMs } = this.#deps;
    const { process, slot, until } = entry.engine;
    // A wall clock that is put right meanwhile neither ends it nor makes it last.
    const deadline = clock.monotonic() + until - clock.now();
    const left = (): number => Math.max(0, deadline - clock.monotonic());
    // Clients that send many connections through one of their own, QUIC above all, go on here: what counts is that nothing
    // moved since the last look.
    let bytes = -1;
    for (let quiet = 0; quiet < 2 && left() > 0 && process.isAlive;) {
      if (!(await sleepUnless(clock, Math.min(everyMs, left()), signal))) return;
      const carried = await this.#deps.control.connections(slot.control).catch(() => undefined);
      if (signal.aborted) return;
      quiet = carried?.open === 0 && carried.bytes === bytes ? quiet + 1 : 0;
      bytes = carried?.bytes ?? -1;
      const connections = carried?.open ?? null;
      const isNew = connections !== entry.engine.connections;
      entry.engine = { ...entry.engine, connections };
      if (isNew) this.#deps.onChange(undefined);
    }
    const { connections } = entry.engine;
    log.info('An engine has drained', { unit: slot.unit.name, pid: process.identity.pid, connections });
    await process.stop().catch((error: unknown) => this.#warn(entry.engine, error));
    if (signal.aborted) return;
    this.#engines.delete(slot.name);
    this.#deps.onChange(entry.engine);
  }
}

interface Entry {
  engine: DrainingEngine;
  readonly leaving: AbortController;
  done: Promise<void>;
}

/** As the status says it. */
export const describeDraining = (engines: readonly DrainingEngine[]): NonNullable<UnitStatus['draining']> =>
  engines.map(({ process, connections, until }) => ({
    pid: process.identity.pid,
    connections,
    until: isoTime(until),
  }));

/** False when it was told to stop meanwhile. */
export async function sleepUnless(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return await clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}
