import { errorFields } from '@sbox/daemon/log';
import type { LiveSlot } from '../state/slots.ts';
import { readChoices, renewChoices } from './choices.ts';
import type { ApplyContext } from './context.ts';
import type { UnitRef } from './decide/effect.ts';
import { bringBack, makeWay } from './take-over.ts';
import { findSlots } from './versions.ts';

/**
 * Brings one unit back to what it ran before: left alone when it runs that still, moved back to where its engine lives on,
 * else stopped and started. Whatever does not come up stays under supervision, so that there is never silently nothing.
 */
export async function restoreUnit(ctx: ApplyContext, ref: UnitRef): Promise<void> {
  const [slot] = await findSlots(ctx, [ref]);
  if (slot === undefined) return;
  const unit = ctx.unit(ref.unit);
  try {
    const isHeld = unit.process?.isAlive !== true && ctx.heldBy(slot.unit) !== undefined;
    if (await isServedBy(ctx, slot)) return;
    await makeWay(ctx, slot);
    if (!(await unit.resume(slot)) && !isHeld) await startAgain(ctx, slot);
    await makeWay(ctx, unit.slot ?? slot);
  } catch (error) {
    ctx.log.error('The last good version did not start', { unit: unit.name, ...errorFields(error) });
  } finally {
    await unit.keep(slot);
  }
}

async function isServedBy({ unit, control }: ApplyContext, slot: LiveSlot): Promise<boolean> {
  const { process, slot: running } = unit(slot.unit.name);
  return process?.isAlive === true && running?.name === slot.name && (await control.ask(slot.control)) === 'ours';
}

async function startAgain(ctx: ApplyContext, slot: LiveSlot): Promise<void> {
  const unit = ctx.unit(slot.unit.name);
  const other = unit.slot?.name === slot.name ? undefined : unit.slot;
  const choices = await readChoices(ctx, other);
  if (await bringBack(ctx, slot)) await renewChoices(ctx, other, unit.slot ?? slot, choices);
}

/** Ends all units but these. */
export async function stopOthers(ctx: ApplyContext, names: readonly string[]): Promise<void> {
  for (const unit of ctx.units()) {
    if (names.includes(unit.name)) continue;
    await unit.stop().catch((error: unknown) => {
      ctx.log.error('A unit could not be stopped', { unit: unit.name, ...errorFields(error) });
    });
  }
}
