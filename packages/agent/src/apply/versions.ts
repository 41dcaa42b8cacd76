import { isoTime, redactText } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { Order } from '../order.ts';
import type { JournalRecord, JournalStep, JournalUnit, JournalVersion } from '../state/journal.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';

/** An order before its slots exist. */
export const versionOfOrder = ({ source, manifest }: Order): JournalVersion => ({
  epoch: manifest.epoch,
  generation: manifest.generation,
  source,
  units: manifest.units.map(({ name, config: { digest, config_id, version } }): JournalUnit => ({
    name,
    digest,
    config_id,
    version,
    overlay: null,
    slot: null,
  })),
});

/** An order with the slots that it runs from. */
export const versionOfSlots = (order: Order, slots: readonly LiveSlot[]): JournalVersion => ({
  ...versionOfOrder(order),
  units: slots.map(journalUnitOf),
});

export const journalUnitOf = ({ unit, name, report }: LiveSlot): JournalUnit => ({
  name: unit.name,
  digest: unit.config.digest,
  config_id: unit.config.config_id,
  version: unit.config.version,
  overlay: report.digest,
  slot: name,
});

export interface Outcome {
  readonly code: string;
  readonly message: string;
}

/** Writes one step down; durable when it resolves. */
export async function record(
  ctx: ApplyContext,
  step: JournalStep,
  version: JournalVersion,
  why?: Outcome,
): Promise<void> {
  const { epoch, generation, source, units } = version;
  const at = isoTime(ctx.clock.now());
  const message = why === undefined ? null : redactText(why.message).slice(0, 2048);
  const entry: JournalRecord = { step, at, epoch, generation, source, units, code: why?.code ?? null, message };
  await ctx.store.journal.append(entry);
}

/** What the links say when the journal is lost. */
export async function markGood({ store }: ApplyContext, version: JournalVersion): Promise<void> {
  for (const { name, slot } of version.units) if (slot !== null) await store.slots.point(name, 'lkg', slot);
}

/** For what must not stop the work: an engine goes on when the disk does not. */
export async function tolerate(ctx: ApplyContext, work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    ctx.log.error('The state directory could not be written', errorFields(error));
  });
}

/** The slots of a version as they lie on the disk; undefined when one of them is gone. */
export async function slotsOf({ store }: ApplyContext, version: JournalVersion): Promise<LiveSlot[] | undefined> {
  const slots = await Promise.all(
    version.units.map(async ({ name, slot }) => (slot === null ? undefined : await store.slots.read(name, slot))),
  );
  return slots.every((slot) => slot !== undefined) ? slots : undefined;
}
