import { contentOf, type Unit } from '@sbox/protocol';
import type { JournalUnit } from '../state/journal.ts';
import { replay } from '../state/journal-replay.ts';
import type { ApplyContext } from './context.ts';

/** Keeps what can be gone back to, what is being tried, what was accepted, and what runs, whatever the journal says. */
export async function collectGarbage({ store, engines, units }: ApplyContext): Promise<void> {
  const { committed, candidates } = replay(store.journal.records);
  const kept = [...committed, ...candidates].flatMap(({ version }) => version.units);
  const accepted = (store.accepted.order?.manifest.units ?? []).flatMap(contentOf);
  const running = units().flatMap(({ slot, draining }) => [
    ...(slot ? [slot] : []),
    ...draining.map((one) => one.slot),
  ]);
  const keptUnits = await Promise.all(kept.map(async (unit) => await unitOfSlot(store, unit)));
  const slotUnits = [...keptUnits, ...running.map(({ unit }) => unit)];
  const contents = slotUnits.flatMap((unit) => (unit === undefined ? [] : contentOf(unit)));
  await store.blobs.keep(new Set([...kept, ...accepted, ...contents].map(({ digest }) => digest)));
  const builds = [...slotUnits, ...(store.accepted.order?.manifest.units ?? [])];
  await engines.keep?.(new Set(builds.flatMap((unit) => unit?.engine_build?.digest ?? [])));
  for (const name of await store.slots.units()) {
    const slots = new Set(kept.flatMap((unit) => (unit.name === name && unit.slot !== null ? [unit.slot] : [])));
    for (const slot of running) if (slot.unit.name === name) slots.add(slot.name);
    if (slots.size === 0) await store.slots.forget(name);
    else await store.slots.keep(name, slots);
  }
}

/** A slot that cannot be read cannot be started either, so that its files and its engine are of no use. */
async function unitOfSlot({ slots }: ApplyContext['store'], { name, slot }: JournalUnit): Promise<Unit | undefined> {
  return slot === null ? undefined : (await slots.read(name, slot))?.unit;
}
