import type { OrderData } from './decide/order-data.ts';
import type { Survey, UnitSeen } from './decide/effect.ts';
import { engineFor } from './decide/follow-steps.ts';
import type { ApplyContext } from './context.ts';
import { engineName } from '../engines/find-engine.ts';
import type { SupervisedUnit } from '../supervisor/unit.ts';
import { journalUnitOf } from './versions.ts';

/** What there is to know before something is decided. @throws what the disk says about the hold file */
export async function survey(ctx: ApplyContext, order: OrderData | null): Promise<Survey> {
  const hold = (await ctx.store.hold.read()) ?? null;
  const found = await ctx.engines.find().catch(() => undefined);
  const engine = found === undefined ? null : engineName(found);
  const strikes = [];
  for (const unit of order?.manifest.units ?? []) {
    const wanted = engineFor(unit, { engine });
    const strike = wanted === null ? undefined : await ctx.store.quarantine.find(unit.config.digest, wanted);
    if (strike !== undefined) strikes.push(strike);
  }
  return { hold, engine, strikes, units: ctx.units().map((unit) => seeUnit(ctx, unit)) };
}

function seeUnit({ ports }: ApplyContext, { name, slot, process }: SupervisedUnit): UnitSeen {
  const isAlive = process?.isAlive === true;
  if (slot === undefined) return { name, isAlive, slot: null };
  const { unit, isTried, engine } = slot;
  const hasPorts = JSON.stringify(slot.ports) === JSON.stringify(ports);
  return { name, isAlive, slot: { name: slot.name, unit, journal: journalUnitOf(slot), isTried, engine, hasPorts } };
}
