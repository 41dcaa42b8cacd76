import { ProblemError } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import { contentOf } from '@sbox/protocol';
import type { JournalUnit, JournalVersion } from '../state/journal.ts';
import { replay } from '../state/journal-replay.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';
import { filesOf } from './files.ts';
import { Refusal } from './refusal.ts';
import { runTrial } from './trial.ts';
import { markGood, record, slotsOf } from './versions.ts';

/** A version that serves and has to stay healthy until it is committed. */
export interface Watched {
  readonly version: JournalVersion;
  readonly slots: readonly LiveSlot[];
  /** Monotonic time since which it serves. */
  readonly since: number;
  /** Unexpected ends of each unit at that time. */
  readonly restarts: ReadonlyMap<string, number>;
  /** Failed looks in a row. */
  readonly fails: number;
}

export const beginWatch = (ctx: ApplyContext, version: JournalVersion, slots: readonly LiveSlot[]): Watched => ({
  version,
  slots,
  since: ctx.clock.monotonic(),
  restarts: new Map(slots.map(({ unit }) => [unit.name, ctx.unit(unit.name).restarts])),
  fails: 0,
});

export type Look =
  { readonly kind: 'good' } | { readonly kind: 'waiting'; readonly fails: number; readonly waitMs: number };

/**
 * One look at a version that serves. `good`: it stayed healthy for the whole watch.
 * @throws Refusal when it has to be taken back
 */
export async function look(
  ctx: ApplyContext,
  watched: Watched,
  fallback: JournalVersion | undefined,
  signal: AbortSignal,
): Promise<Look> {
  for (const slot of watched.slots) {
    const unit = ctx.unit(slot.unit.name);
    if (unit.restarts === watched.restarts.get(unit.name)) continue;
    throw new Refusal('watch', new ProblemError('apply.failed', unit.message), refOf(slot));
  }
  const failed = await findUnproved(ctx, watched.slots, signal);
  signal.throwIfAborted();
  const fails = failed === undefined ? 0 : watched.fails + 1;
  if (
    failed !== undefined &&
    isTurn(fails, ctx.settings.watch_fails) &&
    (await isFallbackBetter(ctx, fallback, signal))
  ) {
    throw new Refusal('watch', new ProblemError('apply.probe-failed', failed.detail), refOf(failed.slot));
  }
  const watchMs = Math.max(0, ...watched.slots.map(({ unit }) => unit.watch_ms));
  const left = watched.since + watchMs - ctx.clock.monotonic();
  if (failed === undefined && left <= 0) return { kind: 'good' };
  const waitMs = left > 0 ? Math.min(left, ctx.settings.watch_every_ms) : ctx.settings.watch_every_ms;
  return { kind: 'waiting', fails, waitMs };
}

/** Every trial costs an engine: in a long outage they come further and further apart, up to 16 times `watchFails`. */
export function isTurn(fails: number, watchFails: number): boolean {
  const turn = fails / watchFails;
  return turn % 16 === 0 ? turn > 0 : [1, 2, 4, 8].includes(turn);
}

const refOf = ({ unit }: LiveSlot): { name: string; digest: string } => ({
  name: unit.name,
  digest: unit.config.digest,
});

async function findUnproved(
  ctx: ApplyContext,
  slots: readonly LiveSlot[],
  signal: AbortSignal,
): Promise<{ slot: LiveSlot; detail: string } | undefined> {
  for (const slot of slots) {
    const way = slot.report.probe;
    if (way === null) continue;
    const result = await ctx.probe(way, slot.unit.probe, signal);
    ctx.unit(slot.unit.name).probe = result;
    if (!result.ok) return { slot, detail: result.detail };
  }
  return undefined;
}

/** Going back has to help: the last good version is tried beside, and only if a request goes through it is it better. */
async function isFallbackBetter(
  ctx: ApplyContext,
  fallback: JournalVersion | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (fallback === undefined) return false;
  try {
    const engine = await ctx.engines.find();
    const slots = await slotsOf(ctx, fallback);
    if (slots === undefined) return false;
    for (const { unit, proved } of slots) {
      const rendition = ctx.store.blobs.fileOf(unit.config.digest);
      const prefer = proved === null ? [] : [proved];
      const files = filesOf(ctx.store, fallback.source, unit);
      const { probe } = await runTrial(ctx.trial, { unit, rendition, files, engine, prefer, signal });
      if (probe?.ok === false) return false;
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    ctx.log.warn('The last good version could not be tried', errorFields(error));
    return false;
  }
}

/** From now on this version is the one to come back to. */
export async function commit(ctx: ApplyContext, version: JournalVersion): Promise<void> {
  await record(ctx, 'HEALTHY', version);
  try {
    await markGood(ctx, version);
    await collectGarbage(ctx);
  } catch (error) {
    ctx.log.warn('Tidying up failed', errorFields(error));
  }
}

/** Keeps what can be gone back to, what is being tried, and what was accepted. */
export async function collectGarbage({ store }: ApplyContext): Promise<void> {
  const { committed, candidates } = replay(store.journal.records);
  const kept = [...committed, ...candidates].flatMap(({ version }) => version.units);
  const accepted = (store.accepted.order?.manifest.units ?? []).flatMap(contentOf);
  const files = await Promise.all(kept.map(async (unit) => await filesOfSlot(store, unit)));
  await store.blobs.keep(new Set([...kept, ...accepted, ...files.flat()].map(({ digest }) => digest)));
  for (const name of await store.slots.units()) {
    const slots = new Set(kept.flatMap((unit) => (unit.name === name && unit.slot !== null ? [unit.slot] : [])));
    if (slots.size === 0) await store.slots.forget(name);
    else await store.slots.keep(name, slots);
  }
}

/** A slot that cannot be read cannot be started either, so that its files are of no use. */
async function filesOfSlot({ slots }: ApplyContext['store'], { name, slot }: JournalUnit) {
  return slot === null ? [] : ((await slots.read(name, slot))?.unit.files ?? []);
}
