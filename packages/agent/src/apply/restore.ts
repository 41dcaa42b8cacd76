import { errorFields } from '@sbox/daemon/log';
import type { JournalVersion } from '../state/journal.ts';
import type { LiveSlot } from '../state/slots.ts';
import { readChoices, renewChoices } from './choices.ts';
import type { ApplyContext } from './context.ts';
import { slotsOf } from './versions.ts';

/**
 * Brings a version back that ran before: what still runs it is left alone, the rest is stopped and started. Whatever does
 * not come up stays under supervision, so that there is never silently nothing.
 * @returns whether all of it is ready now
 */
export async function restore(ctx: ApplyContext, version: JournalVersion | undefined): Promise<boolean> {
  const found = version === undefined ? [] : await slotsOf(ctx, version);
  if (found === undefined) {
    const { epoch, generation } = version ?? {};
    ctx.log.error('Files of the last good version are gone', { epoch, generation });
  }
  const slots = found ?? [];
  await stopOthers(ctx, version);
  let isReady = version === undefined || slots.length === version.units.length;
  for (const slot of slots) isReady = (await restoreUnit(ctx, slot)) && isReady;
  return isReady;
}

async function restoreUnit(ctx: ApplyContext, slot: LiveSlot): Promise<boolean> {
  const unit = ctx.unit(slot.unit.name);
  try {
    if (unit.process?.isAlive === true && unit.slot?.name === slot.name) {
      const answer = await ctx.control.ask(slot.control);
      if (answer === 'ours') return true;
    }
    const other = unit.slot?.name === slot.name ? undefined : unit.slot;
    const choices = await readChoices(ctx, other);
    const isReady = (await unit.start(slot)).kind === 'ready';
    if (isReady) await renewChoices(ctx, other, slot, choices);
    return isReady;
  } catch (error) {
    ctx.log.error('The last good version did not start', { unit: unit.name, ...errorFields(error) });
    return false;
  } finally {
    await unit.keep(slot);
  }
}

/** Ends the units that are no part of a version. */
export async function stopOthers(ctx: ApplyContext, version: JournalVersion | undefined): Promise<void> {
  for (const unit of ctx.units()) {
    if (version?.units.some(({ name }) => name === unit.name) === true) continue;
    await unit.stop().catch((error: unknown) => {
      ctx.log.error('A unit could not be stopped', { unit: unit.name, ...errorFields(error) });
    });
  }
}
