import { ProblemError, compareGenerations } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { HistoryEntry, Order, ReconcilerState } from '../order.ts';
import { isEndedBy } from '../state/hold.ts';
import type { JournalVersion } from '../state/journal.ts';
import { historyOf, isSameContent, isSameVersion, replay } from '../state/journal-replay.ts';
import type { UnexpectedEnd } from '../supervisor/unit.ts';
import { applyOrder } from './apply-order.ts';
import { Backlog, isSameOrder, type Due } from './backlog.ts';
import { createBell, type Bell } from './bell.ts';
import { bootUnits } from './boot.ts';
import { careForUnits } from './care.ts';
import type { ApplyContext } from './context.ts';
import { makeNack } from './nack.ts';
import { judge, toRefusal, type Refusal } from './refusal.ts';
import { restore } from './restore.ts';
import { retryDelayMs } from './retry-schedule.ts';
import { engineName } from './stage.ts';
import { describeState } from './state-view.ts';
import { strike } from './strikes.ts';
import { markGood, record, slotsOf, tolerate, versionOfOrder } from './versions.ts';
import { beginWatch, collectGarbage, commit, look, type Watched } from './watch.ts';

export interface LoopDeps {
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onChange: () => void;
}

interface RollbackRequest {
  readonly resolve: (entry: HistoryEntry) => void;
  readonly reject: (error: unknown) => void;
}

/** After a step that failed, until it is tried again. */
const lookAgainMs = 5000;

/** Decides what happens next: one thing at a time, the newest order first. */
export class Loop implements AsyncDisposable {
  readonly #ctx: ApplyContext;
  readonly #deps: LoopDeps;
  readonly #bell: Bell;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  readonly #backlog = new Backlog();
  #held: { readonly reason: string; readonly order: Order | undefined } | undefined;
  #watched: Watched | undefined;
  #request: RollbackRequest | undefined;
  #crashed: UnexpectedEnd | undefined;
  /** How often the order that serves or waits was tried. */
  #attempt = 1;
  #careAt = 0;
  #following: Order | undefined;
  /** Ends a download for which something newer waits. */
  #overtaken = new AbortController();
  #nack: ReconcilerState['nack'] = null;
  #observed: ReconcilerState['observed'];

  constructor(ctx: ApplyContext, deps: LoopDeps) {
    this.#ctx = ctx;
    this.#deps = deps;
    this.#bell = createBell(ctx.clock);
    this.#observed = generationOf(ctx.store.accepted.order?.manifest);
  }

  get state(): Omit<ReconcilerState, 'disk_problem'> {
    return describeState(this.#ctx, {
      observed: this.#observed,
      watched: this.#watched?.version,
      nack: this.#nack,
      held: this.#held?.reason ?? null,
      isApplying: this.#following !== undefined,
    });
  }

  async boot(): Promise<void> {
    const ctx = this.#ctx;
    const { candidate, given_up } = await bootUnits(ctx);
    if (candidate !== undefined) this.#watched = beginWatch(ctx, candidate.version, candidate.slots);
    if (given_up !== undefined) await this.#giveUp(given_up);
    const hold = await ctx.store.hold.read();
    if (hold !== undefined) this.#held = { reason: hold.reason, order: undefined };
    this.#careAt = ctx.clock.monotonic() + ctx.settings.care_every_ms;
    this.#requeue();
    this.#running = this.#run();
    this.#deps.onChange();
  }

  offer(order: Order): void {
    if (!this.#backlog.offer(order)) return;
    if (this.#following !== undefined && isSameOrder(this.#following, order)) this.#bell.ring();
    else this.#overtake();
  }

  onEnd(end: UnexpectedEnd): void {
    if (end.isCrashLoop) this.#crashed = end;
    this.#bell.ring();
  }

  async rollback(): Promise<HistoryEntry> {
    if (this.#request !== undefined) throw new ProblemError('precondition.failed', 'a rollback is under way');
    return await new Promise((resolve, reject) => {
      this.#request = { resolve, reject };
      this.#overtake();
    });
  }

  #overtake(): void {
    this.#overtaken.abort(new ProblemError('blob.fetch-failed', 'given up for something newer'));
    this.#bell.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new ProblemError('command.failed', 'the agent stops'));
    await this.#running;
    this.#request?.reject(this.#stopping.signal.reason);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        if (signal.aborted) return;
        this.#ctx.log.error('A step failed', errorFields(error));
        await this.#bell.wait(lookAgainMs, signal);
      }
    }
  }

  async #step(): Promise<void> {
    const { signal } = this.#stopping;
    const now = this.#ctx.clock.monotonic();
    if (now >= this.#careAt) await this.#care(now);
    if (this.#request !== undefined) return await this.#answerRollback(this.#request);
    const due = this.#backlog.take(now);
    if (due !== undefined) return await this.#followUnlessHeld(due);
    if (this.#watched !== undefined) return await this.#watch(this.#watched);
    if (this.#crashed !== undefined) return await this.#onCrashLoop(this.#crashed);
    await this.#bell.wait(Math.min(this.#careAt, this.#backlog.retryAt) - now, signal);
  }

  /** Now and then: engines that hang, logs that grow, a hold that was put or lifted, an engine that was upgraded. */
  async #care(now: number): Promise<void> {
    const ctx = this.#ctx;
    this.#careAt = now + ctx.settings.care_every_ms;
    await careForUnits(ctx);
    const hold = await ctx.store.hold.read();
    if (this.#held?.reason !== hold?.reason) {
      const order = this.#held?.order;
      this.#held = hold === undefined ? undefined : { reason: hold.reason, order };
      if (hold === undefined && order !== undefined) this.#backlog.offerAgain(order);
      else if (hold === undefined) this.#requeue();
      this.#deps.onChange();
    }
    const engine = await ctx.engines.find().catch(() => undefined);
    if (engine !== undefined) this.#backlog.onEngine(engineName(engine));
  }

  async #followUnlessHeld({ order, attempt }: Due): Promise<void> {
    const { hold: holdFile } = this.#ctx.store;
    try {
      const hold = await holdFile.read();
      const isHeld = hold !== undefined && !isEndedBy(hold, order.manifest);
      this.#held = isHeld ? { reason: hold.reason, order } : undefined;
      if (hold !== undefined && !isHeld) await holdFile.release();
    } catch (error) {
      this.#backlog.offerAgain(order);
      throw error;
    }
    this.#deps.onChange();
    if (this.#held === undefined) await this.#follow(order, attempt);
  }

  async #follow(order: Order, attempt: number): Promise<void> {
    const ctx = this.#ctx;
    this.#attempt = attempt;
    this.#following = order;
    this.#overtaken = new AbortController();
    this.#nack = null;
    this.#observe(order);
    this.#deps.onChange();
    try {
      const fallback = this.#good() ?? this.#watched?.version;
      const { signal } = this.#stopping;
      const job = { order, fallback, signal, overtaken: this.#overtaken.signal };
      const { version, slots, isChanged } = await applyOrder(ctx, job);
      this.#backlog.forgive();
      if (isChanged || this.#watched !== undefined) this.#watched = beginWatch(ctx, version, slots);
      else if (!isCommitted(version, this.#good())) await commit(ctx, version);
      ctx.log.info(isChanged ? 'A version serves' : 'The version runs already', generationFields(version));
    } catch (error) {
      if (this.#stopping.signal.aborted) throw error;
      await this.#refuse(order, toRefusal(error, 'verify'), attempt);
    } finally {
      this.#following = undefined;
      this.#deps.onChange();
    }
  }

  async #refuse(order: Order, refusal: Refusal, attempt: number): Promise<void> {
    const ctx = this.#ctx;
    const version = versionOfOrder(order);
    const last = ctx.store.journal.records.at(-1);
    const isToldAlready = last?.step === 'ROLLEDBACK' && isSameVersion(last, version);
    if (!isToldAlready) await tolerate(ctx, async () => await record(ctx, 'REFUSED', version, refusal));
    // What was watched is gone when the last good version was brought back instead.
    const watched = this.#watched?.version;
    if (watched !== undefined && !this.#serves(watched)) this.#watched = undefined;
    await tolerate(ctx, async () => await collectGarbage(ctx));
    const isSticky = (await strike(ctx, refusal)) || judge(refusal.code, refusal.message) === 'order';
    await this.#putOff(order, refusal, { isSticky, attempt });
    this.#say(order.manifest, refusal, isSticky);
  }

  /** Never again, or later. */
  async #putOff(order: Order, { code, cause }: Refusal, how: { isSticky: boolean; attempt: number }): Promise<void> {
    const { clock, settings, engines } = this.#ctx;
    if (how.isSticky) {
      const engine = await engines.find().catch(() => undefined);
      this.#backlog.refuse(order, engine && engineName(engine));
      return;
    }
    // An outage that the running version shares must not make this one wait longer and longer.
    const isShared = cause instanceof ProblemError && cause.details?.['shared'] === true;
    const delayMs = retryDelayMs(isShared ? 1 : how.attempt, this.#deps.random(), settings.retry_ms);
    this.#backlog.retryLater({ order, at: clock.monotonic() + delayMs, attempt: isShared ? 0 : how.attempt, code });
  }

  #say(version: { epoch: number; generation: number }, refusal: Refusal, sticky: boolean): void {
    const { clock, log } = this.#ctx;
    const waitMs = this.#backlog.retryAt - clock.monotonic();
    this.#nack = makeNack({ version, refusal, sticky, now: clock.now(), waitMs });
    log.warn('An order was refused', { ...this.#nack });
    this.#deps.onChange();
  }

  async #watch(watched: Watched): Promise<void> {
    const ctx = this.#ctx;
    const { signal } = this.#stopping;
    const fallback = this.#good();
    try {
      const seen = await look(ctx, watched, fallback, signal);
      if (seen.kind === 'waiting') {
        this.#watched = { ...watched, fails: seen.fails };
        await this.#bell.wait(seen.waitMs, signal);
        return;
      }
      await commit(ctx, watched.version);
      this.#watched = undefined;
      // Another order may have been refused meanwhile; that stays said.
      if (this.#nack !== null && compareGenerations(this.#nack, watched.version) <= 0) this.#nack = null;
      ctx.log.info('A version is committed', generationFields(watched.version));
      this.#deps.onChange();
    } catch (error) {
      if (signal.aborted) throw error;
      const refusal = toRefusal(error, 'watch');
      // Nothing to go back to, or a disk that cannot take the verdict: it goes on, supervised.
      if (refusal.code === 'disk.full' || fallback === undefined) {
        this.#watched = { ...beginWatch(ctx, watched.version, watched.slots) };
        this.#say(watched.version, refusal, false);
        await this.#bell.wait(lookAgainMs, signal);
        return;
      }
      await this.#takeBack(watched.version, fallback, refusal);
    }
  }

  /** The version before serves again; the one taken back is tried again later or never. */
  async #takeBack(version: JournalVersion, target: JournalVersion, refusal: Refusal): Promise<void> {
    const ctx = this.#ctx;
    ctx.log.warn('A version is taken back', {
      ...generationFields(version),
      code: refusal.code,
      detail: refusal.message,
    });
    this.#watched = undefined;
    await tolerate(ctx, async () => await record(ctx, 'ROLLEDBACK', version, refusal));
    await restore(ctx, target);
    await tolerate(ctx, async () => await markGood(ctx, target));
    const order = this.#orderOf(version);
    const isSticky = await strike(ctx, refusal);
    if (order !== undefined) await this.#putOff(order, refusal, { isSticky, attempt: this.#attempt });
    this.#say(version, refusal, isSticky);
  }

  async #onCrashLoop(end: UnexpectedEnd): Promise<void> {
    this.#crashed = undefined;
    const ctx = this.#ctx;
    const [before, top] = replay(ctx.store.journal.records).committed.slice(-2);
    const unit = top?.version.units.find(({ name }) => name === end.unit);
    // It may have been taken back already, while something else was done.
    if (top === undefined || before === undefined || unit?.slot !== end.slot) return;
    const age = ctx.clock.now() - Date.parse(top.at);
    const isSameSlot = before.version.units.some(({ name, slot }) => name === unit.name && slot === unit.slot);
    if (isSameSlot || age > ctx.settings.crash_rollback_ms) return;
    const error = new ProblemError('engine.crash-loop', end.words);
    await this.#takeBack(top.version, before.version, toRefusal(error, 'watch', unit));
  }

  async #giveUp(version: JournalVersion): Promise<void> {
    for (const unit of version.units) {
      if (this.#good()?.units.some(({ digest }) => digest === unit.digest) === true) continue;
      const error = new ProblemError(
        'engine.crash-loop',
        'it was down at two starts of the agent before it was committed',
      );
      const refusal = toRefusal(error, 'watch', unit);
      await tolerate(this.#ctx, async () => void (await strike(this.#ctx, refusal)));
      this.#say(version, refusal, true);
    }
  }

  async #answerRollback({ resolve, reject }: RollbackRequest): Promise<void> {
    try {
      resolve(await this.#rollBack());
    } catch (error) {
      reject(error);
    } finally {
      this.#request = undefined;
    }
  }

  async #rollBack(): Promise<HistoryEntry> {
    const ctx = this.#ctx;
    const { committed } = replay(ctx.store.journal.records);
    const from = this.#watched?.version ?? committed.at(-1)?.version;
    const target = committed.at(this.#watched === undefined ? -2 : -1)?.version;
    if (from === undefined || target === undefined)
      throw new ProblemError('history.empty', 'no other version was committed');
    if ((await slotsOf(ctx, target)) === undefined) throw new ProblemError('history.empty', 'its files are gone');
    const accepted = generationOf(ctx.store.accepted.order?.manifest) ?? from;
    const reason = `rolled back by hand from ${from.epoch}.${from.generation}`;
    await ctx.store.hold.put({ reason, until: { epoch: accepted.epoch, generation: accepted.generation } });
    this.#held = { reason, order: undefined };
    this.#backlog.dropRetry();
    [this.#watched, this.#nack] = [undefined, null];
    await record(ctx, 'ROLLEDBACK', from, { code: 'apply.rolled-back', message: 'by hand' });
    await restore(ctx, target);
    await tolerate(ctx, async () => await markGood(ctx, target));
    this.#deps.onChange();
    const entry = historyOf(ctx.store.journal.records).findLast(
      (one) => one.epoch === target.epoch && one.generation === target.generation && one.source === target.source,
    );
    if (entry === undefined) throw new ProblemError('history.empty', 'the journal does not know it any more');
    return entry;
  }

  /** What was accepted but never committed is followed without waiting for the network. */
  #requeue(): void {
    const order = this.#ctx.store.accepted.order;
    const top = this.#watched?.version ?? this.#good();
    if (order === undefined || top?.source === 'local') return;
    const isFollowed = top !== undefined && compareGenerations(order.manifest, top) <= 0;
    // What cannot be started any more, because its files are gone, is made anew.
    if (isFollowed && this.#serves(top) && this.#hasSettings()) return;
    this.#backlog.offerAgain({ ...order, blobs: onlyWhatIsHere });
  }

  /** The ports of this server's settings are those that its engines were started with. */
  #hasSettings(): boolean {
    const ports = JSON.stringify(this.#ctx.ports);
    return this.#ctx.units().every(({ slot }) => slot === undefined || JSON.stringify(slot.ports) === ports);
  }

  #orderOf({ source, epoch, generation }: JournalVersion): Order | undefined {
    const accepted = this.#ctx.store.accepted.order;
    const isIt = accepted?.source === source && compareGenerations(accepted.manifest, { epoch, generation }) === 0;
    return isIt ? { ...accepted, blobs: onlyWhatIsHere } : undefined;
  }

  #good(): JournalVersion | undefined {
    return replay(this.#ctx.store.journal.records).committed.at(-1)?.version;
  }

  #serves(version: JournalVersion): boolean {
    return version.units.every(({ name, slot }) => this.#ctx.unit(name).slot?.name === slot);
  }

  #observe({ source, manifest }: Order): void {
    if (source === 'local') return;
    const isNewer = this.#observed === null || compareGenerations(manifest, this.#observed) > 0;
    if (isNewer) this.#observed = generationOf(manifest);
  }
}

const isCommitted = (version: JournalVersion, good: JournalVersion | undefined): boolean =>
  good !== undefined && isSameVersion(version, good) && isSameContent(version, good);

const generationOf = (found: { epoch: number; generation: number } | undefined): ReconcilerState['observed'] =>
  found === undefined ? null : { epoch: found.epoch, generation: found.generation };

const generationFields = ({ epoch, generation, source }: JournalVersion): Record<string, unknown> => ({
  epoch,
  generation,
  source,
});

/** After a start there may be no network; whoever offers the order again brings a better source. */
const onlyWhatIsHere: Order['blobs'] = {
  fetch: async () => await Promise.reject(new ProblemError('blob.fetch-failed', 'it is not on this server yet')),
};
