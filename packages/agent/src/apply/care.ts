import type { SupervisedUnit } from '../supervisor/unit.ts';
import type { ApplyContext } from './context.ts';

/** So many looks in a row without an answer, and an engine that lives is hung. */
const maxSilent = 3;

/** Looks after units that just run: an engine that hangs, or that grew beyond its limit, is started again. */
export async function careForUnits(ctx: ApplyContext): Promise<void> {
  for (const unit of ctx.units()) {
    await unit.reroute();
    if (unit.state === 'running' || unit.state === 'failed') await lookAt(ctx, unit);
    // An end that is still to come cannot have been what the kernel did before.
    if (unit.process?.isAlive === true) unit.process.forgetOom();
  }
  await ctx.budgets.measure();
  await relieve(ctx);
}

/** Starts the heaviest engine again, if that can help: one that grew so fast would only do so again. */
async function relieve({ budgets, units, clock, log, settings }: ApplyContext): Promise<void> {
  const serving = (pid: number): SupervisedUnit | undefined =>
    units().find(({ process }) => process?.isAlive === true && process.identity.pid === pid);
  const heavy = budgets.takeHeavy(({ pid }) => {
    const startedAt = serving(pid)?.process?.startedAt ?? clock.now();
    return clock.now() - startedAt >= settings.restart.stable_ms;
  });
  const unit = heavy && serving(heavy.pid);
  if (unit === undefined) return;
  const { pid, rss_bytes } = heavy ?? {};
  const limit_bytes = settings.budget.engine_memory_bytes;
  log.warn('An engine uses more memory than it may and is started again', {
    unit: unit.name,
    pid,
    rss_bytes,
    limit_bytes,
  });
  await startAgain(unit);
}

/** Only the engine's own API counts: what a remote target does is no reason to cut everybody's connections. */
async function lookAt(ctx: ApplyContext, unit: SupervisedUnit): Promise<void> {
  const { process } = unit;
  if (process?.isAlive !== true) return;
  unit.silent = (await unit.answers()) ? 0 : unit.silent + 1;
  if (unit.silent < maxSilent) return;
  ctx.log.warn('An engine does not answer and is started again', { unit: unit.name, pid: process.identity.pid });
  unit.silent = 0;
  await startAgain(unit);
}

async function startAgain(unit: SupervisedUnit): Promise<void> {
  const { slot } = unit;
  if (slot === undefined) return;
  try {
    await unit.start(slot);
  } finally {
    // One that cannot be ended now may end later, and then somebody has to notice.
    await unit.keep(slot);
  }
}
