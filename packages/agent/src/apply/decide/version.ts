import { compareGenerations, isoTime, type Generation } from '@sbox/core';
import type { Manifest, Unit } from '@sbox/protocol';
import type { AcceptedOrder } from '../../state/accepted.ts';
import type { ConfirmTerms, JournalRecord, JournalStep, JournalUnit, JournalVersion } from '../../state/journal.ts';
import { isSameContent, isSameVersion } from '../../state/journal-replay.ts';
import { orderUnits } from '../../supervisor/unit-order.ts';
import type { OrderData } from './order-data.ts';
import { shownMessage } from './failure.ts';

/** Dependencies first; a manifest whose units cannot be ordered is refused, and until then stays as it is listed. */
export function unitsOf({ manifest: { units } }: Pick<OrderData, 'manifest'>): readonly Unit[] {
  try {
    return orderUnits(units);
  } catch {
    return units;
  }
}

/** An order before its slots exist. */
export const versionOfOrder = (order: Pick<OrderData, 'source' | 'manifest'>): JournalVersion => ({
  epoch: order.manifest.epoch,
  generation: order.manifest.generation,
  source: order.source,
  units: unitsOf(order).map(({ name, config: { digest, config_id, version } }): JournalUnit => ({
    name,
    digest,
    config_id,
    version,
    overlay: null,
    slot: null,
  })),
});

/** An order with the slots that it runs from. */
export const versionOfUnits = (order: OrderData, units: readonly JournalUnit[]): JournalVersion => ({
  ...versionOfOrder(order),
  units,
});

export const isSameOrder = (a: OrderData, b: OrderData): boolean =>
  isSameVersion(versionOfOrder(a), versionOfOrder(b)) && JSON.stringify(a.manifest) === JSON.stringify(b.manifest);

/** Also the slots are the same: nothing is left to be written down about it. */
export const isSameAs = (version: JournalVersion, other: JournalVersion | null): boolean =>
  other !== null && isSameVersion(version, other) && isSameContent(version, other);

export const generationOf = ({ epoch, generation }: Generation): Generation => ({ epoch, generation });

/** Of two servers: this one joined again since, and its new manager's word counts from 1. */
export const isOtherServer = (manifest: Pick<Manifest, 'server_id'>, other: Pick<Manifest, 'server_id'>): boolean =>
  manifest.server_id !== other.server_id;

/** How an order that somebody gives relates to what was accepted before; `least` is what the journal knows. */
export function relate(
  { manifest, digest }: Pick<OrderData, 'manifest' | 'digest'>,
  accepted: AcceptedOrder | null,
  least: Generation,
): 'newer' | 'same' | 'older' | 'contradicts' {
  if (accepted === null) return compareGenerations(manifest, least) < 0 ? 'older' : 'newer';
  if (isOtherServer(manifest, accepted.manifest)) return 'newer';
  const sign = compareGenerations(manifest, accepted.manifest);
  if (sign !== 0) return sign > 0 ? 'newer' : 'older';
  // An agent that was replaced by a newer one understands more of the same bytes: they are still the same order.
  const isSame =
    digest !== undefined && accepted.digest !== undefined
      ? digest === accepted.digest
      : JSON.stringify(manifest) === JSON.stringify(accepted.manifest);
  return isSame ? 'same' : 'contradicts';
}

export interface RecordFacts {
  readonly step: JournalStep;
  readonly version: JournalVersion;
  /** Wall clock. */
  readonly now: number;
  readonly why?: { readonly code: string; readonly message: string } | undefined;
  readonly confirm?: ConfirmTerms | null;
}

/** One line of the journal. */
export function makeRecord({ step, version, now, why, confirm = null }: RecordFacts): JournalRecord {
  const { epoch, generation, source, units } = version;
  const message = why === undefined ? null : shownMessage(why.message);
  const record = { step, at: isoTime(now), epoch, generation, source, units, code: why?.code ?? null, message };
  return confirm === null ? record : { ...record, confirm };
}
