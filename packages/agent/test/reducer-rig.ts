// A world in memory for the reducer: what lasts, what runs, and a machine that does what it is told or fails on demand.
import type { Unit } from '@sbox/protocol';
import { initialState, type ApplyState, type DecideSettings, type Time } from '../src/apply/decide/apply-state.ts';
import { isNote, type Effect, type Note, type Results, type UnitRef, type Work } from '../src/apply/decide/effect.ts';
import type { Answer, ApplyEvent } from '../src/apply/decide/event.ts';
import type { Failure } from '../src/apply/decide/failure.ts';
import { engineFor } from '../src/apply/decide/follow-steps.ts';
import type { OrderData } from '../src/apply/decide/order-data.ts';
import { reduce } from '../src/apply/decide/reducer.ts';
import type { AcceptedOrder } from '../src/state/accepted.ts';
import type { Hold } from '../src/state/hold.ts';
import type { JournalRecord, JournalUnit } from '../src/state/journal.ts';
import type { Strike } from '../src/state/quarantine.ts';
import { makeOrder, makeUnit, watchMs } from './reducer-orders.ts';

export const testSettings: DecideSettings = {
  watch_every_ms: 2000,
  watch_fails: 3,
  care_every_ms: 30_000,
  crash_rollback_ms: 900_000,
  retry_ms: [60_000, 300_000],
  confirm_ms: 120_000,
};

interface Slot {
  readonly unit: Unit;
  readonly journal: JournalUnit;
  readonly isTried: boolean;
  readonly engine: string;
}

interface Actor {
  slot: string | undefined;
  isAlive: boolean;
  restarts: number;
}

/** How a piece of work ends. */
export type Fate = 'done' | Failure;

export const failureOf = (code: Failure['code'], more: Partial<Failure> = {}): Failure => ({
  stage: 'apply',
  code,
  message: `because of ${code}`,
  unit: null,
  digest: null,
  isShared: false,
  ...more,
});

/** Everything outside of the reducer. */
export class ReducerWorld {
  // What lasts:
  records: JournalRecord[] = [];
  accepted: AcceptedOrder | null = null;
  strikes = new Map<string, Strike>();
  hold: Hold | null = null;
  slots = new Map<string, Slot>();
  // What lasts as long as the machine is on:
  actors = new Map<string, Actor>();
  engine = 'sing-box 1.14.4';
  // What the answers say:
  isProved = true;
  isFallbackBetter = true;
  isUplinkDown = false;
  isManagerReachable: boolean | null = null;
  isTriable = true;
  now = Date.parse('2026-01-01T00:00:00Z');
  monotonic = 1000;
  random = 0.5;
  // What the reducer said:
  state: ApplyState;
  pending: Work | undefined;
  done: Work[] = [];
  notes: Note[] = [];
  #slotCount = 0;
  /** Told of all that is reduced. */
  onReduce: (event: ApplyEvent, effects: readonly Effect[]) => void = () => {};

  constructor() {
    this.state = initialState({ records: [], accepted: null }, testSettings);
  }

  get time(): Time {
    return { now: this.now, monotonic: this.monotonic, random: this.random };
  }

  dispatch(event: ApplyEvent): readonly Effect[] {
    const { state, effects } = reduce(this.state, event, this.time);
    // Whoever changes what was handed out would change the past.
    this.state = freeze(state);
    for (const effect of effects) {
      if (isNote(effect)) this.notes.push(effect);
      else if (this.pending === undefined) this.pending = effect;
      else throw new Error(`two pieces of work at once: ${this.pending.do} and ${effect.do}`);
    }
    this.onReduce(event, effects);
    return effects;
  }

  /** Does the work that waits. */
  answer(fate: Fate = 'done'): readonly Effect[] {
    const work = this.pending;
    if (work === undefined) throw new Error('nothing to do');
    this.pending = undefined;
    this.done.push(work);
    if (fate !== 'done') {
      // What it was before is gone.
      if (work.do === 'switch' && fate.code === 'apply.failed')
        Object.assign(this.#actor(work.unit), { slot: work.slot, isAlive: false });
      return this.dispatch({ type: 'failed', failure: { ...fate, ...this.#refOf(work) } });
    }
    const answer: Answer = { type: 'done', of: work.do, result: this.#perform(work) };
    return this.dispatch(answer);
  }

  /** Does all work until there is nothing to do but to wait; the first of a kind that is named fails. */
  settle(fates: Readonly<Partial<Record<Work['do'], Fate>>> = {}): this {
    const left = new Map(Object.entries(fates));
    for (let count = 0; this.pending !== undefined && this.pending.do !== 'wait'; count += 1) {
      if (count > 300) throw new Error('it does not come to rest');
      const fate = left.get(this.pending.do);
      left.delete(this.pending.do);
      this.answer(fate ?? 'done');
    }
    return this;
  }

  /** Does all work that comes before the first of this kind. */
  answerUntil(kind: Work['do']): this {
    for (let count = 0; this.pending?.do !== kind; count += 1) {
      if (count > 300) throw new Error(`${kind} never comes`);
      this.answer();
    }
    return this;
  }

  /** Time goes on, and what is due by then is done. */
  pass(ms: number): this {
    const end = this.monotonic + ms;
    while (this.pending?.do === 'wait' && this.pending.until <= end) {
      this.advance(Math.max(0, this.pending.until - this.monotonic));
      this.answer();
      this.settle();
    }
    this.advance(Math.max(0, end - this.monotonic));
    return this;
  }

  advance(ms: number): void {
    this.now += ms;
    this.monotonic += ms;
  }

  offer(order: OrderData): this {
    this.dispatch({ type: 'offer', order });
    return this.wake();
  }

  /** What a bell does: a wait is over. */
  wake(): this {
    if (this.pending?.do === 'wait') this.answer();
    return this;
  }

  /** The agent ends and comes up again; engines run on. */
  restart(): this {
    this.pending = undefined;
    this.state = initialState({ records: this.records, accepted: this.accepted }, testSettings);
    for (const actor of this.actors.values()) actor.restarts = 0;
    this.dispatch({ type: 'boot' });
    return this;
  }

  /** The machine ends and comes up again. */
  reboot(): this {
    for (const actor of this.actors.values()) actor.isAlive = false;
    return this.restart();
  }

  /** An engine ends by itself and is started again. */
  crash(unit: string, isCrashLoop = false): this {
    const actor = this.actors.get(unit);
    if (actor?.slot === undefined) return this;
    actor.restarts += 1;
    this.dispatch({ type: 'ended', end: { unit, slot: actor.slot, words: 'panic', isCrashLoop } });
    return this.wake();
  }

  /** Slots by unit, as they run or should run. */
  get running(): Record<string, string> {
    return Object.fromEntries(
      [...this.actors].flatMap(([name, { slot }]) => (slot === undefined ? [] : [[name, slot]])),
    );
  }

  get names(): string[] {
    return this.done.map((work) => (work.do === 'record' ? work.record.step : work.do));
  }

  #refOf(work: Work): Partial<Failure> {
    if (!('unit' in work)) return {};
    const known = 'order' in work ? work.order.manifest.units.find(({ name }) => name === work.unit) : undefined;
    const slot = 'slot' in work ? this.slots.get(`${work.unit}/${work.slot}`) : undefined;
    const digest = known?.config.digest ?? slot?.unit.config.digest ?? null;
    return { unit: work.unit, digest };
  }

  #actor(name: string): Actor {
    const found = this.actors.get(name) ?? { slot: undefined, isAlive: false, restarts: 0 };
    this.actors.set(name, found);
    return found;
  }

  #run({ unit, slot }: UnitRef): void {
    Object.assign(this.#actor(unit), { slot, isAlive: true });
  }

  #perform(work: Work): Results[keyof Results] | null {
    switch (work.do) {
      case 'recover':
        return { found: null };
      case 'adopt': {
        const alive = work.wanted.units.filter(({ name }) => this.#actor(name).isAlive).map(({ name }) => name);
        const isWhole = work.wanted.units.every(
          ({ name, slot }) => this.#actor(name).isAlive && this.#actor(name).slot === slot,
        );
        return { isWhole, alive };
      }
      case 'survey':
        return this.#survey(work.order);
      case 'record':
        this.records.push(work.record);
        return null;
      case 'accept': {
        const { source, manifest } = work.order;
        this.accepted = { source, manifest };
        return null;
      }
      case 'renew':
        return this.#renew(work);
      case 'stage':
        return this.#stage(work);
      case 'stop':
        Object.assign(this.#actor(work.unit), { slot: undefined, isAlive: false });
        return null;
      case 'stop-others':
        for (const [name, actor] of this.actors)
          if (!work.units.includes(name)) Object.assign(actor, { slot: undefined, isAlive: false });
        return null;
      case 'switch':
        this.#run(work);
        return this.slots.get(`${work.unit}/${work.slot}`)?.journal ?? null;
      case 'restore':
        this.#run(work);
        return null;
      case 'keep': {
        const restarts = work.slots.map(({ unit }) => [unit, this.#actor(unit).restarts] as const);
        return { restarts: Object.fromEntries(restarts), watchMs };
      }
      case 'look':
        return this.#look(work.slots);
      case 'compare':
        return { isBetter: this.isFallbackBetter };
      case 'ask-uplink':
        return { isDown: this.isUplinkDown };
      case 'find-strike': {
        const engine = work.engine ?? this.engine;
        return { engine, strike: this.strikes.get(`${work.digest} ${engine}`) ?? null };
      }
      case 'quarantine':
        this.strikes.set(`${work.strike.digest} ${work.strike.engine}`, work.strike);
        return null;
      case 'put-hold':
        this.hold = work.hold;
        return null;
      case 'release-hold':
        this.hold = null;
        return null;
      case 'check-ports':
      case 'verify':
      case 'mark':
      case 'tidy':
      case 'find-files':
      case 'care':
      case 'wait':
        break;
    }
    return null;
  }

  #survey(order: OrderData | null): Results['survey'] {
    const strikes = (order?.manifest.units ?? []).flatMap((unit) => {
      const strike = this.strikes.get(`${unit.config.digest} ${engineFor(unit, this)}`);
      return strike ?? [];
    });
    const units = [...this.actors].map(([name, { slot, isAlive }]) => {
      const found = slot === undefined ? undefined : this.slots.get(`${name}/${slot}`);
      return {
        name,
        isAlive,
        slot: found === undefined || slot === undefined ? null : { ...found, name: slot, hasPorts: true },
      };
    });
    return { hold: this.hold, engine: this.engine, strikes, units };
  }

  #renew({ order, unit }: Extract<Work, { do: 'renew' }>): null {
    const key = `${unit}/${this.#actor(unit).slot}`;
    const wanted = order.manifest.units.find(({ name }) => name === unit);
    const slot = this.slots.get(key);
    if (slot !== undefined && wanted !== undefined) this.slots.set(key, { ...slot, unit: wanted });
    return null;
  }

  #stage({ order, unit: name }: Extract<Work, { do: 'stage' }>): Results['stage'] {
    const unit = order.manifest.units.find((each) => each.name === name) ?? makeUnit(name, '?');
    const slot = `${order.manifest.epoch}.${order.manifest.generation}-${(this.#slotCount += 1)}`;
    const { digest, config_id, version } = unit.config;
    const journal: JournalUnit = { name, digest, config_id, version, overlay: `overlay of ${digest}`, slot };
    const isTried = this.isTriable && unit.trial;
    this.slots.set(`${name}/${slot}`, { unit, journal, isTried, engine: engineFor(unit, this) ?? this.engine });
    return { unit: journal, isTried };
  }

  #look(refs: readonly UnitRef[]): Results['look'] {
    const units = refs.map(({ unit, slot }) => ({
      name: unit,
      digest: this.slots.get(`${unit}/${slot}`)?.unit.config.digest ?? '',
      restarts: this.#actor(unit).restarts,
      run: String(this.#actor(unit).restarts),
      message: 'panic',
    }));
    const [first] = units;
    const failed = this.isProved || first === undefined ? null : { ...first, detail: 'no answer' };
    return { units, failed, isManagerReachable: this.isManagerReachable };
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/** A world whose agent came up and runs this order, committed. */
export function openWorld(first: OrderData | null = makeOrder(1)): ReducerWorld {
  const world = new ReducerWorld();
  world.dispatch({ type: 'boot' });
  world.settle();
  if (first === null) return world;
  world
    .offer(first)
    .settle()
    .pass(watchMs + testSettings.watch_every_ms);
  if (world.state.journal.committed.length !== 1) throw new Error('the first order was not committed');
  world.done = [];
  world.notes = [];
  return world;
}
