import { compareGenerations } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { JournalVersion } from '../state/journal.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';
import { refsOf } from './decide/apply-state.ts';
import type { Results } from './decide/effect.ts';
import { sweepTrials } from './trial.ts';
import { findSlots, journalUnitOf } from './versions.ts';

/** Ends what an earlier agent left half done, and finds what the links say was good. */
export async function recover(ctx: ApplyContext): Promise<Results['recover']> {
  await sweepTrials(ctx.trial).catch((error: unknown) => {
    ctx.log.error('A trial could not be ended', errorFields(error));
  });
  const { slots } = ctx.store;
  // Directories of units that no version knows may have engines too; those are ended later.
  for (const name of await slots.units()) ctx.unit(name);
  const found = await Promise.all(
    ctx.units().map(async ({ name }) => {
      const slot = await slots.target(name, 'lkg');
      return slot === undefined ? undefined : await slots.read(name, slot);
    }),
  );
  return { found: versionOf(found.filter((slot) => slot !== undefined)) };
}

function versionOf(good: readonly LiveSlot[]): JournalVersion | null {
  const newest = good.toSorted(compareGenerations).at(-1);
  if (newest === undefined) return null;
  const { epoch, generation } = newest;
  // Files of this machine have the generation 0.
  const source = generation === 0 ? 'local' : 'manager';
  return { epoch, generation, source, units: good.map((slot) => journalUnitOf(slot)) };
}

/** Whether every unit was found running the wanted slot. Units that run an older one are adopted with that. */
export async function adoptVersion(
  ctx: ApplyContext,
  wanted: JournalVersion,
  older: JournalVersion | null,
): Promise<Results['adopt']> {
  const slots = await findSlots(ctx, refsOf(wanted));
  const before = older === null ? [] : await findSlots(ctx, refsOf(older));
  let isWhole = slots.length === wanted.units.length;
  const alive: string[] = [];
  for (const slot of slots) {
    const { name } = slot.unit;
    const others = before.filter(({ unit }) => unit.name === name);
    const found = await adoptOne(ctx, name, [slot, ...others]);
    if (found?.name !== slot.name) isWhole = false;
    if (ctx.unit(name).process?.isAlive === true) alive.push(name);
  }
  return { isWhole, alive };
}

/** What cannot be adopted is started anew. */
async function adoptOne(ctx: ApplyContext, name: string, slots: readonly LiveSlot[]): Promise<LiveSlot | undefined> {
  try {
    const found = await ctx.unit(name).adopt(slots);
    const pid = ctx.unit(name).process?.identity.pid;
    if (found !== undefined) ctx.log.info('A running engine was adopted', { unit: name, slot: found.name, pid });
    return found;
  } catch (error) {
    ctx.log.error('A running engine could not be adopted', { unit: name, ...errorFields(error) });
    return undefined;
  }
}
