import { errorFields } from '@sbox/daemon/log';
import type { ApplyContext, ApplyJob } from './context.ts';
import { fetchContent } from './stage.ts';

/** What is said about a unit beside its bytes, such as its probe, changes without touching the engine. */
export async function renewUnit(
  ctx: ApplyContext,
  { order, signal, overtaken }: ApplyJob,
  name: string,
): Promise<void> {
  const unit = ctx.unit(name);
  const wanted = order.manifest.units.find((each) => each.name === name);
  const before = unit.slot;
  if (wanted === undefined || before === undefined) return;
  const slot = { ...before, unit: wanted };
  if (JSON.stringify(before.unit.files) !== JSON.stringify(wanted.files)) {
    // The engine has all that its config names: what is new serves the next take-over, and can be done without.
    await fetchContent(ctx, order, wanted, AbortSignal.any([signal, overtaken])).catch((error: unknown) => {
      signal.throwIfAborted();
      ctx.log.warn('Files of a unit that runs on were not fetched', { unit: name, ...errorFields(error) });
    });
  }
  await ctx.store.slots.store(slot);
  await unit.keep(slot);
  const message = 'will end 0 connections';
  unit.note({ unit: name, strategy: 'no-op', message, connections: null, will_end: 0, refused: [] });
}
