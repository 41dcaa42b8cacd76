import { ProblemError } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { Unit } from '@sbox/protocol';
import type { Order } from '../order.ts';
import type { JournalVersion } from '../state/journal.ts';
import { isSameContent, replay } from '../state/journal-replay.ts';
import type { LiveSlot } from '../state/slots.ts';
import { readChoices, renewChoices } from './choices.ts';
import type { ApplyContext, ApplyJob } from './context.ts';
import { toRefusal, type Refusal } from './refusal.ts';
import { restore } from './restore.ts';
import { engineName, fetchContent, stageUnit } from './stage.ts';
import { checkPorts, switchUnit, verifyUnit } from './take-over.ts';
import { record, tolerate, versionOfOrder, versionOfSlots } from './versions.ts';

export interface Applied {
  readonly version: JournalVersion;
  readonly slots: readonly LiveSlot[];
  /** False when all of it ran already and nothing was touched. */
  readonly isChanged: boolean;
}

/**
 * Follows one order until the new version serves, or leaves everything as it was.
 * @throws Refusal whatever was wrong; the reason of the signal when it aborts
 */
export async function applyOrder(ctx: ApplyContext, job: ApplyJob): Promise<Applied> {
  const { order } = job;
  const relation = await inStage('verify', async () => await Promise.resolve(relate(ctx, order)));
  const kept = await findUnchanged(ctx, order.manifest.units);
  const removed = ctx.units().flatMap(({ name, slot }) => (slot === undefined || isWanted(order, name) ? [] : [name]));
  await inStage('verify', async () => {
    if (relation === 'newer') await ctx.store.accepted.store(order);
    for (const slot of kept.values()) await renew(ctx, job, slot);
  });
  if (kept.size === order.manifest.units.length && removed.length === 0) {
    const slots = [...kept.values()];
    return { version: versionOfSlots(order, slots), slots, isChanged: false };
  }
  await inStage('verify', async () => await record(ctx, 'INTENT', versionOfOrder(order)));
  const staged: LiveSlot[] = [];
  for (const unit of order.manifest.units) {
    staged.push(kept.get(unit.name) ?? (await stageUnit(ctx, job, unit)));
  }
  const version = versionOfSlots(order, staged);
  const changed = staged.filter(({ unit }) => !kept.has(unit.name));
  await inStage('apply', async () => await record(ctx, 'STAGED', version));
  await takeOver(ctx, { ...job, version, staged, changed, removed });
  return { version, slots: staged, isChanged: true };
}

const inStage = async <T>(stage: 'verify' | 'apply', work: () => Promise<T>): Promise<T> =>
  await work().catch((error: unknown) => {
    throw toRefusal(error, stage);
  });

const isWanted = ({ manifest }: Order, name: string): boolean => manifest.units.some((unit) => unit.name === name);

/** A generation never goes back, and never changes what it means. @throws ProblemError `manifest.stale` */
function relate(ctx: ApplyContext, { source, manifest }: Order): 'newer' | 'same' | 'local' {
  if (source === 'local') return 'local';
  const relation = ctx.store.accepted.compare(manifest);
  if (relation === 'newer' || relation === 'same') return relation;
  const detail =
    relation === 'older' ? 'a newer generation was accepted before' : 'it was accepted before with other content';
  throw new ProblemError('manifest.stale', `generation ${manifest.epoch}.${manifest.generation}: ${detail}`);
}

/** What is said about a unit beside its bytes, such as its probe, changes without touching the engine. */
async function renew(ctx: ApplyContext, { order, signal, overtaken }: ApplyJob, slot: LiveSlot): Promise<void> {
  const unit = ctx.unit(slot.unit.name);
  if (JSON.stringify(unit.slot?.unit) === JSON.stringify(slot.unit)) return;
  if (JSON.stringify(unit.slot?.unit.files) !== JSON.stringify(slot.unit.files)) {
    // The engine has all that its config names: what is new serves the next take-over, and can be done without.
    await fetchContent(ctx, order, slot.unit, AbortSignal.any([signal, overtaken])).catch((error: unknown) => {
      signal.throwIfAborted();
      ctx.log.warn('Files of a unit that runs on were not fetched', { unit: unit.name, ...errorFields(error) });
    });
  }
  await ctx.store.slots.store(slot);
  await unit.keep(slot);
}

/** Units that already run just this: same bytes, same ports, same engine. */
async function findUnchanged(ctx: ApplyContext, units: readonly Unit[]): Promise<Map<string, LiveSlot>> {
  const engine = await ctx.engines.find().catch(() => undefined);
  const kept = new Map<string, LiveSlot>();
  for (const unit of units) {
    const { slot, process } = ctx.unit(unit.name);
    if (slot === undefined || process?.isAlive !== true || slot.unit.config.digest !== unit.config.digest) continue;
    if (engine !== undefined && engineName(engine) !== slot.engine) continue;
    if (JSON.stringify(slot.ports) !== JSON.stringify(ctx.ports)) continue;
    kept.set(unit.name, { ...slot, unit });
  }
  return kept;
}

interface TakeOver extends ApplyJob {
  readonly version: JournalVersion;
  readonly staged: readonly LiveSlot[];
  readonly changed: readonly LiveSlot[];
  readonly removed: readonly string[];
}

async function takeOver(ctx: ApplyContext, job: TakeOver): Promise<void> {
  const { version, staged, changed, removed, signal } = job;
  await checkPorts(ctx, changed);
  // Past this line a crash leaves something to decide, and the journal says so.
  await inStage('apply', async () => await record(ctx, 'SWITCHED', version));
  const before = new Map(ctx.units().map((unit) => [unit.name, unit.slot]));
  try {
    for (const name of removed) await ctx.unit(name).stop();
    for (const slot of changed) {
      const old = before.get(slot.unit.name);
      const choices = await readChoices(ctx, old);
      await switchUnit(ctx, slot);
      await renewChoices(ctx, old, slot, choices);
    }
    for (const slot of staged) await verifyUnit(ctx, slot, signal);
  } catch (error) {
    signal.throwIfAborted();
    await goBack(ctx, job, toRefusal(error, 'apply'), before);
  }
  // The verdict goes out even when it cannot be written down: the engine runs it, and a restarted agent finds that out.
  await tolerate(ctx, async () => await record(ctx, 'SERVING', version));
  for (const slot of staged) await ctx.unit(slot.unit.name).keep(slot);
}

/** Ends in the refusal, whatever happens on the way. */
async function goBack(
  ctx: ApplyContext,
  { version, changed, removed, fallback }: TakeOver,
  refusal: Refusal,
  before: ReadonlyMap<string, LiveSlot | undefined>,
): Promise<never> {
  const isUntouched = refusal.code === 'apply.refused' && changed.length === 1 && removed.length === 0;
  const [first] = changed;
  const old = isUntouched && first !== undefined ? before.get(first.unit.name) : undefined;
  if (old !== undefined) {
    await ctx.unit(old.unit.name).keep(old);
  } else {
    await restore(ctx, fallback);
    await tolerate(ctx, async () => {
      await record(ctx, 'ROLLEDBACK', version, refusal);
      // What was not committed either must still be known as what runs.
      const isCommitted = replay(ctx.store.journal.records).committed.some(
        (one) => fallback !== undefined && isSameContent(one.version, fallback),
      );
      if (fallback !== undefined && !isCommitted) await record(ctx, 'SWITCHED', fallback);
    });
  }
  throw refusal;
}
