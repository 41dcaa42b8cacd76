import type { Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { laneOf, type LiveSlot, type Slots } from '../state/slots.ts';
import type { Drain, Instance } from './drain.ts';
import { isShifted, meet, wayTo } from './lanes.ts';
import type { Mover } from './mover.ts';

export interface TrafficDeps {
  /** Of the unit. */
  readonly name: string;
  readonly slots: Slots;
  readonly mover: Mover;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long an engine may serve on what it has when another one has taken over. */
  readonly drainMs: number;
}

/** Which engine of a unit gets new connections. One change at a time, so that no late one brings back what is over. */
export interface Traffic {
  /** New connections go to this slot. @throws ProblemError `apply.failed` */
  routeTo(slot: LiveSlot): Promise<void>;
  /** The same; false when those who use the slot cannot reach it. */
  isRoutedTo(slot: LiveSlot): Promise<boolean>;
  /** To what serves now, where that could not be had before: what is left of an earlier way leads nowhere. Never rejects. */
  retry(slot: LiveSlot): Promise<void>;
  /** From one running engine to another. @throws ProblemError `apply.failed`; then nothing has changed */
  handOver(before: Instance | undefined, next: Instance, isOverlap: boolean): Promise<void>;
  /** Ends what drains where this slot will be: in its lane, or on its ports. @throws ProblemError `unit.failed` */
  clear(slot: LiveSlot): Promise<void>;
  /** What was needed only for an engine that has drained goes. Never rejects. */
  onEnd(ended: Instance): Promise<void>;
  /** Nothing of the unit runs any more. Never rejects. */
  close(): Promise<void>;
}

/** A front can listen for the next one only when the one that lives has let go of the ports. */
export const needsEndOf = ({ holdsPorts }: Mover, live: LiveSlot | undefined, next: LiveSlot): boolean =>
  holdsPorts && live !== undefined && isShifted(next) && !isShifted(live);

/** One piece of work after another. */
function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const turn = last.then(work);
    last = turn.catch(() => {});
    return await turn;
  };
}

export function createTraffic({ name, slots, mover, clock, log, drainMs }: TrafficDeps, drain: Drain): Traffic {
  let target: LiveSlot | undefined;
  let isMissed = false;
  const inTurn = createTurns();

  async function point(slot: LiveSlot, more: readonly Instance[] = []): Promise<void> {
    const others = [...drain.engines, ...more].map((one) => one.slot).filter((one) => one.name !== slot.name);
    await mover.point(name, wayTo(slot, others));
    target = slot;
    isMissed = false;
  }

  async function canPoint(slot: LiveSlot): Promise<boolean> {
    try {
      await point(slot);
      return true;
    } catch (error) {
      isMissed = true;
      log.error('Connections cannot be moved', { unit: name, ...errorFields(error) });
      return !isShifted(slot);
    }
  }

  const isRoutedTo = async (slot: LiveSlot): Promise<boolean> => await inTurn(async () => await canPoint(slot));

  /** The disk hears of it first: an agent that comes after this one finishes what is written there. */
  async function handOver(before: Instance | undefined, next: Instance, isOverlap: boolean): Promise<void> {
    const until = clock.now() + drainMs;
    const drains = before?.process.isAlive === true && !isOverlap;
    try {
      if (drains) await slots.drain(name, before.slot.name, until);
      await slots.point(name, 'current', next.slot.name);
      await point(next.slot, drains ? [before] : []);
    } catch (error) {
      // What failed may have had its effect all the same.
      if (before?.process.isAlive === true) await canPoint(before.slot);
      if (before !== undefined) await slots.point(name, 'current', before.slot.name);
      if (drains) await slots.drain(name, before.slot.name, undefined);
      throw error;
    }
    if (drains) await drain.add(before, until);
    await slots.drain(name, next.slot.name, undefined).catch(() => {});
  }

  return {
    routeTo: async (slot) => await inTurn(async () => await point(slot)),
    isRoutedTo,
    async retry(slot) {
      if (isMissed) await isRoutedTo(slot);
    },
    handOver: async (before, next, isOverlap) => await inTurn(async () => await handOver(before, next, isOverlap)),
    async clear(slot) {
      for (const engine of drain.engines) {
        const isAlike = engine.slot.name === slot.name || laneOf(engine.slot) === laneOf(slot);
        if (isAlike || meet(engine.slot.report.listens, slot.report.listens)) await drain.end(engine);
      }
    },
    async onEnd(ended) {
      try {
        await slots.drain(name, ended.slot.name, undefined);
        await inTurn(async () => {
          if (target !== undefined && target.name !== ended.slot.name) await point(target);
        });
      } catch (error) {
        log.warn('After an engine that drained something is left', { unit: name, ...errorFields(error) });
      }
    },
    async close() {
      await inTurn(async () => {
        [target, isMissed] = [undefined, false];
        await mover.point(name, { served: [], redirects: [], isTracked: false });
      }).catch((error: unknown) => {
        log.error('The redirects of a unit could not be removed', { unit: name, ...errorFields(error) });
      });
    },
  };
}
