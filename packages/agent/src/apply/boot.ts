import { compareGenerations } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { JournalVersion } from '../state/journal.ts';
import { replay, type Candidate } from '../state/journal-replay.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';
import { restore, stopOthers } from './restore.ts';
import { sweepTrials } from './trial.ts';
import { journalUnitOf, record, slotsOf, tolerate } from './versions.ts';

export interface Booted {
  /** Serves without being committed: the watch goes on. */
  readonly candidate: { readonly version: JournalVersion; readonly slots: readonly LiveSlot[] } | undefined;
  /** Came up too often without being committed. */
  readonly given_up: JournalVersion | undefined;
}

/** So many boots of a version that is down and not committed, and it is not tried again. */
const maxBoots = 2;

/**
 * What the journal and the processes say after a start of the agent: engines that run are adopted, else the last committed
 * version is started. Asks nobody outside this machine.
 */
export async function bootUnits(ctx: ApplyContext): Promise<Booted> {
  await sweepTrials(ctx.trial).catch((error: unknown) => {
    ctx.log.error('A trial could not be ended', errorFields(error));
  });
  // Directories of units that no version knows may have engines too; those are ended below.
  for (const name of await ctx.store.slots.units()) ctx.unit(name);
  if (ctx.store.journal.records.length === 0) await recoverJournal(ctx);
  const { committed, candidates } = replay(ctx.store.journal.records);
  const candidate = candidates.findLast(({ isOpen }) => isOpen);
  const good = committed.at(-1)?.version;
  // Before anything was committed, the version that served before the newest one is the best there is.
  const before = good ?? candidates.findLast((other) => other !== candidate)?.version;
  const slotsBefore = before === undefined ? [] : ((await slotsOf(ctx, before)) ?? []);
  if (candidate === undefined) {
    if (good !== undefined) await adoptAll(ctx, slotsBefore, []);
    await restore(ctx, good);
    return { candidate: undefined, given_up: undefined };
  }
  const slots = (await slotsOf(ctx, candidate.version)) ?? [];
  if (slots.length > 0 && (await adoptAll(ctx, slots, slotsBefore))) {
    for (const slot of slots) await ctx.unit(slot.unit.name).keep(slot);
    await stopOthers(ctx, candidate.version);
    return { candidate: { version: candidate.version, slots }, given_up: undefined };
  }
  const given_up = await judgeCandidate(ctx, candidate, slots);
  await restore(ctx, before);
  if (before === undefined || before === good) return { candidate: undefined, given_up };
  await tolerate(ctx, async () => await record(ctx, 'SWITCHED', before));
  return { candidate: { version: before, slots: slotsBefore }, given_up };
}

/** A journal that was lost is begun anew with what the links say was good: an engine may still run it. */
async function recoverJournal(ctx: ApplyContext): Promise<void> {
  const { slots } = ctx.store;
  const found = await Promise.all(
    ctx.units().map(async ({ name }) => {
      const slot = await slots.target(name, 'lkg');
      return slot === undefined ? undefined : await slots.read(name, slot);
    }),
  );
  const good = found.filter((slot) => slot !== undefined);
  const newest = good.toSorted(compareGenerations).at(-1);
  if (newest === undefined) return;
  ctx.log.error('The journal is lost; what was good is taken from the slots', { units: good.map(({ name }) => name) });
  const { epoch, generation } = newest;
  // Files of this machine have the generation 0.
  const source = generation === 0 ? 'local' : 'manager';
  const units = good.map((slot) => journalUnitOf(slot));
  await tolerate(ctx, async () => await record(ctx, 'HEALTHY', { epoch, generation, source, units }));
}

/** A version is only to blame when it is down; where the old one still runs, the agent ended before the take-over. */
async function judgeCandidate(
  ctx: ApplyContext,
  { version, boots }: Candidate,
  slots: readonly LiveSlot[],
): Promise<JournalVersion | undefined> {
  const isInnocent = slots.some(({ unit }) => ctx.unit(unit.name).process?.isAlive === true);
  const isGivenUp = !isInnocent && boots + 1 >= maxBoots;
  await tolerate(ctx, async () => {
    if (isInnocent) await record(ctx, 'ROLLEDBACK', version, interrupted);
    else if (isGivenUp) await record(ctx, 'ROLLEDBACK', version, neverStayed);
    else await record(ctx, 'BOOT', version);
  });
  return isGivenUp ? version : undefined;
}

const interrupted = { code: 'apply.rolled-back', message: 'the agent ended before the take-over' };
const neverStayed = {
  code: 'engine.crash-loop',
  message: 'it was down at two starts of the agent before it was committed',
};

/** True when every unit was found running the wanted slot. Units that run an older one are adopted with that. */
async function adoptAll(ctx: ApplyContext, wanted: readonly LiveSlot[], older: readonly LiveSlot[]): Promise<boolean> {
  let isWhole = true;
  for (const slot of wanted) {
    const { name } = slot.unit;
    const others = older.filter(({ unit }) => unit.name === name);
    const found = await ctx.unit(name).adopt([slot, ...others]);
    if (found?.name !== slot.name) isWhole = false;
    else ctx.log.info('A running engine was adopted', { unit: name, pid: ctx.unit(name).process?.identity.pid });
  }
  return isWhole;
}
