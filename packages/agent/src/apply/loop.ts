import { ProblemError } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { BlobSource, HistoryEntry, Order, ReconcilerState } from '../order.ts';
import type { JournalVersion } from '../state/journal.ts';
import { historyOf } from '../state/journal-replay.ts';
import type { UnexpectedEnd } from '../supervisor/unit.ts';
import { createBell, type Bell } from './bell.ts';
import type { ApplyContext } from './context.ts';
import { initialState, type ApplyState, type Time } from './decide/apply-state.ts';
import type { OrderData } from './decide/order-data.ts';
import { isNote, type Note, type Problem, type Work } from './decide/effect.ts';
import type { ApplyEvent } from './decide/event.ts';
import { orderKeys } from './decide/order-keys.ts';
import { giveUpWork, reduce } from './decide/reducer.ts';
import { perform } from './perform.ts';
import { describeState, visibleOf } from './state-view.ts';

/** Told in place of what an order's own source would bring, when that is not known any more. */
const onlyWhatIsHere: BlobSource = {
  fetch: async () => await Promise.reject(new ProblemError('blob.fetch-failed', 'it is not on this server yet')),
};

/**
 * The shell around the reducer: tells it what happens, does the work that it wants one piece after another, and answers
 * each piece with one event. Nothing is decided here.
 */
export class Loop implements AsyncDisposable {
  readonly #ctx: ApplyContext;
  readonly #onChange: () => void;
  readonly #bell: Bell;
  readonly #stopping = new AbortController();
  readonly #sources = new Map<string, BlobSource>();
  readonly #booted = Promise.withResolvers<void>();
  /** Ends a download for which something newer waits. */
  #overtaken = new AbortController();
  #state: ApplyState;
  #work: Work | undefined;
  #running: Promise<void> | undefined;
  #rollback: PromiseWithResolvers<HistoryEntry> | undefined;
  #confirm: PromiseWithResolvers<void> | undefined;
  #orders = 0;

  constructor(ctx: ApplyContext, onChange: () => void) {
    this.#ctx = ctx;
    this.#onChange = onChange;
    this.#bell = createBell(ctx.clock);
    const { journal, accepted } = ctx.store;
    this.#state = initialState({ records: journal.records, accepted: accepted.order ?? null }, ctx.settings);
  }

  get state(): Omit<ReconcilerState, 'disk_problem'> {
    return describeState(this.#ctx, this.#state);
  }

  /** Aborts when the agent stops. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Resolves when it is decided what runs. @throws ProblemError when the state directory cannot be read */
  async boot(): Promise<void> {
    this.#dispatch({ type: 'boot' });
    this.#running = this.#run();
    await this.#booted.promise;
  }

  offer({ blobs, ...order }: Order): void {
    const key = `order-${(this.#orders += 1)}`;
    this.#sources.set(key, blobs);
    this.#dispatch({ type: 'offer', order: { ...order, key } });
  }

  onEnd(end: UnexpectedEnd): void {
    this.#dispatch({ type: 'ended', end });
  }

  /** @throws ProblemError `history.empty` */
  async rollback(): Promise<HistoryEntry> {
    this.signal.throwIfAborted();
    if (this.#rollback !== undefined) throw new ProblemError('precondition.failed', 'a rollback is under way');
    this.#rollback = Promise.withResolvers();
    const { promise } = this.#rollback;
    this.#dispatch({ type: 'rollback' });
    return await promise;
  }

  /** @throws ProblemError `server.not-held` */
  async release(): Promise<string> {
    this.signal.throwIfAborted();
    const { hold } = this.#ctx.store;
    const found = await hold.read();
    if (found === undefined) throw new ProblemError('server.not-held', 'there is no hold file');
    await hold.release();
    this.#dispatch({ type: 'released' });
    return found.reason;
  }

  /** @throws ProblemError `confirm.nothing-pending` */
  async confirm(): Promise<void> {
    this.signal.throwIfAborted();
    this.#confirm ??= Promise.withResolvers();
    const { promise } = this.#confirm;
    this.#dispatch({ type: 'confirm' });
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new ProblemError('command.failed', 'the agent stops');
    this.#stopping.abort(reason);
    await this.#running;
    if (this.#running !== undefined) this.#booted.reject(reason);
    this.#rollback?.reject(reason);
    this.#confirm?.reject(reason);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let work = this.#take(); work !== undefined && !signal.aborted; work = this.#take()) {
      this.#overtaken = new AbortController();
      using _ = this.#overtakeLater(work);
      const overtaken = this.#overtaken.signal;
      const wait = async (until: number): Promise<void> =>
        void (await this.#bell.wait(until - this.#ctx.clock.monotonic(), signal));
      try {
        this.#dispatch(await perform({ ctx: this.#ctx, sourceOf: this.#sourceOf, wait, signal, overtaken }, work));
      } catch (error) {
        if (!signal.aborted) this.#ctx.log.error('A listener failed', errorFields(error));
      }
    }
  }

  #take(): Work | undefined {
    const work = this.#work;
    this.#work = undefined;
    return work;
  }

  readonly #sourceOf = ({ key }: OrderData): BlobSource =>
    (key === null ? undefined : this.#sources.get(key)) ?? onlyWhatIsHere;

  #overtake(): void {
    this.#overtaken.abort(new ProblemError('blob.fetch-failed', 'given up for something newer'));
  }

  /** Disposed, it does not happen any more. */
  #overtakeLater(work: Work): Disposable {
    const over = new AbortController();
    if (work.do === 'stage' && work.isOvertaken) this.#overtake();
    if (work.do === 'stage' && work.overtakenAt !== null) {
      const { clock } = this.#ctx;
      clock.sleep(Math.max(0, work.overtakenAt - clock.monotonic()), over.signal).then(
        () => this.#overtake(),
        () => {},
      );
    }
    return { [Symbol.dispose]: () => over.abort(new ProblemError('command.failed', 'it is staged')) };
  }

  #time(): Time {
    const { clock, random } = this.#ctx;
    return { now: clock.now(), monotonic: clock.monotonic(), random: random() };
  }

  #dispatch(event: ApplyEvent): void {
    if (this.#stopping.signal.aborted) return;
    const before = visibleOf(this.#state);
    const { state, effects } = this.#reduce(event);
    this.#state = state;
    const keys = orderKeys(state);
    for (const key of this.#sources.keys()) if (!keys.has(key)) this.#sources.delete(key);
    for (const effect of effects) {
      if (isNote(effect)) this.#note(effect);
      else this.#work = effect;
    }
    if (visibleOf(state) !== before) this.#onChange();
  }

  /** A fault in a decision must not end all decisions. */
  #reduce(event: ApplyEvent): ReturnType<typeof reduce> {
    try {
      return reduce(this.#state, event, this.#time());
    } catch (error) {
      this.#ctx.log.error('A step failed', { event: event.type, ...errorFields(error) });
      return giveUpWork(this.#state, event, this.#time());
    }
  }

  #note(note: Note): void {
    switch (note.do) {
      case 'log':
        this.#ctx.log[note.level](note.text, { ...note.fields });
        break;
      case 'wake':
        if (note.download) this.#overtake();
        this.#bell.ring();
        break;
      case 'booted':
        settle(this.#booted, note.problem, () => undefined);
        break;
      case 'answer-rollback':
        if (this.#rollback !== undefined) settle(this.#rollback, note.problem, () => this.#entryOf(note.version));
        this.#rollback = undefined;
        break;
      case 'answer-confirm':
        if (this.#confirm !== undefined) settle(this.#confirm, note.problem, () => undefined);
        this.#confirm = undefined;
        break;
    }
  }

  #entryOf(version: JournalVersion | null): HistoryEntry {
    const entry = historyOf(this.#ctx.store.journal.records).findLast(
      (one) => one.epoch === version?.epoch && one.generation === version.generation && one.source === version.source,
    );
    if (entry === undefined) throw new ProblemError('history.empty', 'the journal does not know it any more');
    return entry;
  }
}

function settle<T>(waiting: PromiseWithResolvers<T>, problem: Problem | null, result: () => T): void {
  if (problem !== null) {
    waiting.reject(new ProblemError(problem.code, problem.message));
    return;
  }
  try {
    waiting.resolve(result());
  } catch (error) {
    waiting.reject(error);
  }
}
