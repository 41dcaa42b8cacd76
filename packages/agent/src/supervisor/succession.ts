// The ways in which another slot takes over from the one that a unit serves.
import { messageOf } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { Instance } from '../reload/drain.ts';
import { untilQuiet } from '../reload/quiet.ts';
import { laneOf, type LiveSlot } from '../state/slots.ts';
import type { Keeper } from './keeper.ts';
import type { Readiness } from './ready.ts';
import type { RunnerDeps } from './runner.ts';
import type { Movement, Serving } from './serving.ts';

/** All of a unit that a succession touches. While it goes on nobody keeps the unit up but itself. */
export interface UnitParts extends Movement {
  readonly deps: RunnerDeps;
  readonly serving: Serving;
  readonly keeper: Keeper;
}

/** What a take-over by a second engine came to. `unmovable`: connections could not be moved; the old one serves on. */
export type Swapped = Readiness | { readonly kind: 'unmovable'; readonly words: string };

export interface Swap {
  /** Both listen on the same ports, so that nothing has to be moved, and the old one cannot serve on. */
  readonly isOverlap: boolean;
  /** Undefined: requests go through it as they should. Called before any connection is moved to it. */
  readonly prove: () => Promise<string | undefined>;
}

/** A new engine in place of the old one, which ends first. */
export async function startAnew({ serving, keeper }: UnitParts, slot: LiveSlot): Promise<Readiness> {
  await keeper.stop();
  keeper.forgive();
  return await serving.begin(slot);
}

/** The same engine, by a signal. */
export async function reload(unit: UnitParts, next: LiveSlot): Promise<Readiness> {
  const { deps, serving, keeper, runner, traffic } = unit;
  const before = serving.live;
  if (before?.process.isAlive !== true || !before.isLinked || laneOf(before.slot) !== laneOf(next)) {
    return await startAnew(unit, next);
  }
  // One that hangs does not read its file either.
  if ((await deps.control.ask(before.slot.control)) === 'nobody') return await startAnew(unit, next);
  await keeper.stop();
  await traffic.clear(next);
  await runner.point(next);
  serving.logStart = await deps.logFile.size();
  serving.use({ ...before, slot: next });
  await untilQuiet(deps, before.slot.control);
  // Only once, and never again before it is ready: a second one while it starts ends it.
  before.process.signal('SIGHUP');
  const readiness = await serving.untilReady(before.process, next);
  if (readiness.kind === 'ready') {
    keeper.forgive();
    await traffic.routeTo(next);
  }
  if (readiness.kind !== 'refused') return readiness;
  await runner.point(before.slot);
  serving.use(before);
  // It may have read the file in the very last moment.
  if ((await deps.control.ask(before.slot.control)) !== 'ours') return { kind: 'late', words: readiness.words };
  serving.show('running');
  return readiness;
}

/** The same engine, untouched. */
export async function tell(unit: UnitParts, next: LiveSlot): Promise<Readiness> {
  const { serving, keeper, runner } = unit;
  const { live } = serving;
  if (live?.process.isAlive !== true) return await startAnew(unit, next);
  await keeper.stop();
  await runner.point(next);
  serving.use({ ...live, slot: next });
  serving.show('running');
  return { kind: 'ready' };
}

/** A second engine beside the old one. */
export async function swap(unit: UnitParts, next: LiveSlot, { isOverlap, prove }: Swap): Promise<Swapped> {
  const { deps, serving, keeper, runner, traffic } = unit;
  const before = serving.live;
  if (before?.process.isAlive !== true) return await startAnew(unit, next);
  await keeper.stop();
  if (laneOf(before.slot) === laneOf(next)) return { kind: 'unmovable', words: 'the lane is taken' };
  if (!isOverlap) await traffic.clear(next);
  const candidate = await runner.launch(next);
  try {
    const readiness = await runner.waitFor(candidate);
    if (readiness.kind !== 'ready') return await giveUp(candidate, { kind: 'refused', words: readiness.words });
    const problem = await prove();
    if (problem !== undefined) return await giveUp(candidate, { kind: 'unproved', words: problem });
    await traffic.handOver(before, candidate, isOverlap);
    serving.use(candidate);
    await runner.remember(candidate);
  } catch (error) {
    return await giveUp(candidate, { kind: 'unmovable', words: messageOf(error) });
  }
  if (isOverlap) {
    await untilQuiet(deps, before.slot.control);
    await before.process.stop();
  }
  serving.logStart = candidate.logStart;
  keeper.forgive();
  serving.show('running');
  return { kind: 'ready' };
}

/** The engine before, which still drains. */
export async function resume(unit: UnitParts, slot: LiveSlot): Promise<boolean> {
  const { deps, serving, keeper, runner, drain, traffic } = unit;
  const found = drain.engines.find((one) => one.slot.name === slot.name);
  if (found === undefined || (await deps.control.ask(found.slot.control)) !== 'ours') return false;
  await keeper.stop();
  const instance = await drain.take(slot.name);
  if (instance === undefined) return false;
  const failed = serving.live;
  try {
    await traffic.handOver(failed, instance, false);
    serving.use({ ...instance, slot });
    keeper.forgive();
    await runner.remember(instance);
  } catch (error) {
    deps.log.error('Connections could not be moved back', { unit: deps.name, ...errorFields(error) });
    await drain.add(instance, found.until);
    return false;
  }
  const busy = drain.engines.find(({ process }) => process === failed?.process);
  // One that says nothing, or has nothing, is not worth waiting for.
  const carried = busy && (await deps.control.connections(busy.slot.control).catch(() => undefined));
  if (busy !== undefined && !carried?.open) await drain.end(busy);
  serving.show('running');
  return true;
}

async function giveUp<T>(candidate: Instance, answer: T): Promise<T> {
  await candidate.process.stop();
  return answer;
}
