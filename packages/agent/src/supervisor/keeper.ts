import { ProblemError, isoTime, messageOf, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Unit } from '@sbox/protocol';
import { sleepUnless } from '../reload/drain.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { Exit } from './engine-process.ts';
import { whyEnded } from './exit.ts';
import type { LogFile } from './log-file.ts';
import { engineWords } from './ready.ts';
import { decideRestart, freshRestartState, type RestartSettings, type RestartState } from './restart-policy.ts';
import type { Serving } from './serving.ts';

export interface KeeperDeps {
  /** Of the unit. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly restart: RestartSettings;
  readonly logFile: LogFile;
  readonly log: Logger;
  /** Name of a unit that this one depends on and that does not run. */
  readonly heldBy: (unit: Unit) => string | undefined;
  /** It ended though nobody asked it to. */
  readonly onEnd: (end: UnexpectedEnd) => void;
}

export interface UnexpectedEnd {
  readonly unit: string;
  readonly slot: string;
  readonly words: string;
  readonly isCrashLoop: boolean;
}

/** Keeps a unit up: whatever ends by itself is started again, at the pace that the policy gives. */
export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #serving: Serving;
  #policy: RestartState = freshRestartState;
  #restarts = 0;
  #watching: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(deps: KeeperDeps, serving: Serving) {
    this.#deps = deps;
    this.#serving = serving;
  }

  /** Unexpected ends since the agent came up. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Ends until now are not held against what runs from now on. */
  forgive(): void {
    this.#policy = freshRestartState;
  }

  /** From now on an end is followed by a new start. Only after `stop`. */
  start(slot: LiveSlot): void {
    const abort = new AbortController();
    this.#watching = { abort, done: this.#watch(slot, abort.signal) };
  }

  async stop(): Promise<void> {
    this.#watching?.abort.abort(new ProblemError('command.failed', 'overtaken'));
    await this.#watching?.done;
    this.#watching = undefined;
  }

  async #watch(slot: LiveSlot, signal: AbortSignal): Promise<void> {
    const serving = this.#serving;
    while (!signal.aborted) {
      const process = serving.live?.process;
      const exit = process === undefined ? neverStarted : await orAborted(process.exited, signal);
      if (exit === undefined) return;
      const isHeld = process === undefined && this.#deps.heldBy(slot.unit) !== undefined;
      const delayMs = isHeld ? 0 : await this.#judge(slot, exit);
      if (!(await sleepUnless(this.#deps.clock, delayMs, signal)) || !(await this.#untilFree(slot, signal))) return;
      try {
        const { kind } = await serving.begin(serving.slot ?? slot);
        if (kind !== 'ready') await serving.end();
      } catch (error) {
        serving.show('failed', messageOf(error));
      }
    }
  }

  /** While a unit that it depends on does not run, it is not started; what runs is not ended for that. */
  async #untilFree({ unit }: LiveSlot, signal: AbortSignal): Promise<boolean> {
    for (let shown = ''; ;) {
      const holder = this.#deps.heldBy(unit);
      if (holder === undefined) return !signal.aborted;
      if (holder !== shown) this.#serving.show('backoff', `waits for unit "${holder}", which does not run`);
      shown = holder;
      if (!(await sleepUnless(this.#deps.clock, heldEveryMs, signal))) return false;
    }
  }

  async #judge(slot: LiveSlot, exit: Exit): Promise<number> {
    const { name, clock, random, restart, logFile, log, onEnd } = this.#deps;
    const serving = this.#serving;
    serving.lose();
    this.#restarts += 1;
    const ended = { at: clock.monotonic(), uptimeMs: exit.uptimeMs, random: random() };
    const { state, delayMs, isCrashLoop } = decideRestart(this.#policy, ended, restart);
    this.#policy = state;
    const said = await engineWords(logFile, serving.logStart, exit.reason !== 'code').catch(() => '');
    const words = whyEnded(exit, said);
    serving.show(isCrashLoop ? 'crash-loop' : 'backoff', `${words}; next start at ${isoTime(clock.now() + delayMs)}`);
    log.warn('An engine ended by itself', { unit: name, ...exit, words, delay_ms: delayMs });
    onEnd({ unit: name, slot: slot.name, words, isCrashLoop });
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
