import type { JournalUnit, JournalVersion } from '../state/journal.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';
import type { UnitRef } from './decide/effect.ts';

export const journalUnitOf = ({ unit, name, report }: LiveSlot): JournalUnit => ({
  name: unit.name,
  digest: unit.config.digest,
  config_id: unit.config.config_id,
  version: unit.config.version,
  overlay: report.digest,
  slot: name,
});

/** What the links say when the journal is lost. */
export async function markGood({ store }: ApplyContext, version: JournalVersion): Promise<void> {
  for (const { name, slot } of version.units) if (slot !== null) await store.slots.point(name, 'lkg', slot);
}

/** A slot as its unit has it, else as it lies on the disk; undefined when it is gone. */
export async function findSlot(ctx: ApplyContext, { unit, slot }: UnitRef): Promise<LiveSlot | undefined> {
  const known = ctx.unit(unit).slot;
  return known?.name === slot ? known : await ctx.store.slots.read(unit, slot);
}

/** The slots of a version that can be read. */
export async function findSlots(ctx: ApplyContext, refs: readonly UnitRef[]): Promise<LiveSlot[]> {
  const found = await Promise.all(refs.map(async (ref) => await findSlot(ctx, ref)));
  for (const [index, ref] of refs.entries())
    if (found[index] === undefined) ctx.log.error('Files of a version are gone', { ...ref });
  return found.filter((slot) => slot !== undefined);
}
