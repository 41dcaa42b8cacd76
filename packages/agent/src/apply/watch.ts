import { errorFields } from '@sbox/daemon/log';
import { findDown } from '../probe/probe-state.ts';
import type { JournalVersion } from '../state/journal.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext } from './context.ts';
import { refsOf } from './decide/apply-state.ts';
import type { KeptUnits, Seen, UnitRef } from './decide/effect.ts';
import { filesOf } from './files.ts';
import { runTrial } from './trial.ts';
import { findSlots } from './versions.ts';

/** One look at units that serve: did they end, and does a request go through? */
export async function look(ctx: ApplyContext, refs: readonly UnitRef[], signal: AbortSignal): Promise<Seen> {
  const slots = await findSlots(ctx, refs);
  const failed = await findUnproved(ctx, slots, signal);
  signal.throwIfAborted();
  const units = slots.map(({ unit: { name, config } }) => {
    const { restarts, process, message } = ctx.unit(name);
    const { pid, starttime } = process?.identity ?? {};
    return { name, digest: config.digest, restarts, run: `${pid} ${starttime}`, message };
  });
  return { units, failed, isManagerReachable: ctx.managerReachable() ?? null };
}

async function findUnproved(
  ctx: ApplyContext,
  slots: readonly LiveSlot[],
  signal: AbortSignal,
): Promise<Seen['failed']> {
  for (const { unit, report } of slots) {
    const { name, config, probe } = unit;
    const down = findDown(ctx.probes.states(name));
    if (down !== undefined) return { name, digest: config.digest, detail: `probe ${down.id}: ${down.detail}` };
    const heavy = describeHeavy(ctx, name);
    if (heavy !== undefined) return { name, digest: config.digest, detail: heavy };
    if (report.probe === null) continue;
    const result = await ctx.probe(report.probe, probe, signal);
    ctx.unit(name).probe = result;
    if (!result.ok) return { name, digest: config.digest, detail: result.detail };
  }
  return null;
}

/** A version that makes its engine grow beyond its limit while it is watched is no good. */
function describeHeavy({ proc, settings, unit }: ApplyContext, name: string): string | undefined {
  const { engine_memory_bytes: limit } = settings.budget;
  const { process } = unit(name);
  const used = limit > 0 && process?.isAlive === true ? (proc.rssBytes(process.identity.pid) ?? 0) : 0;
  if (limit === 0 || used <= limit) return undefined;
  const [usedMib, limitMib] = [used, limit].map((bytes) => Math.round(bytes / 1024 / 1024));
  return `the engine uses ${usedMib} MiB; budget.engine_memory is ${limitMib} MiB`;
}

/** From now on the ends of these units are counted, and followed by a new start. */
export async function keepUnits(ctx: ApplyContext, refs: readonly UnitRef[]): Promise<KeptUnits> {
  const slots = await findSlots(ctx, refs);
  for (const slot of slots) await ctx.unit(slot.unit.name).keep(slot);
  const restarts = slots.map(({ unit: { name } }) => [name, ctx.unit(name).restarts] as const);
  return { restarts: Object.fromEntries(restarts), watchMs: Math.max(0, ...slots.map(({ unit }) => unit.watch_ms)) };
}

/**
 * Going back has to help: the last good version is tried beside, and it is better only if a request goes through it and
 * still none through what serves, because a target may have come back meanwhile.
 */
export async function isBetter(
  ctx: ApplyContext,
  version: JournalVersion,
  { serving, signal }: { readonly serving: readonly UnitRef[]; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    const slots = await findSlots(ctx, refsOf(version));
    if (slots.length < version.units.length) return false;
    for (const { unit, proved } of slots) {
      const engine = await ctx.engines.find(unit.engine_build);
      const rendition = ctx.store.blobs.fileOf(unit.config.digest);
      const prefer = proved === null ? [] : [proved];
      const files = filesOf(ctx.store, version.source, unit);
      const { probe } = await runTrial(ctx.trial, { unit, rendition, files, engine, prefer, signal });
      if (probe?.ok === false) return false;
    }
    return (await look(ctx, serving, signal)).failed !== null;
  } catch (error) {
    signal.throwIfAborted();
    ctx.log.warn('The last good version could not be tried', errorFields(error));
    return false;
  }
}
