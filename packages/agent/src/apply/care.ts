import { errorFields } from '@sbox/daemon/log';
import type { SupervisedUnit } from '../supervisor/unit.ts';
import type { ApplyContext } from './context.ts';

/** So many looks in a row without an answer, and an engine that lives is hung. */
const maxSilent = 3;

/** Looks after units that just run: a log that grew too long is cut, an engine that hangs is started again. */
export async function careForUnits(ctx: ApplyContext): Promise<void> {
  for (const unit of ctx.units()) {
    await unit.logFile.rotate().catch((error: unknown) => {
      ctx.log.warn('A log could not be cut', { unit: unit.name, ...errorFields(error) });
    });
    if (unit.state === 'running' || unit.state === 'failed') await lookAt(ctx, unit);
  }
}

/** Only the engine's own API counts: what a remote target does is no reason to cut everybody's connections. */
async function lookAt(ctx: ApplyContext, unit: SupervisedUnit): Promise<void> {
  const { slot, process } = unit;
  if (slot === undefined || process?.isAlive !== true) return;
  unit.silent = (await unit.answers()) ? 0 : unit.silent + 1;
  if (unit.silent < maxSilent) return;
  ctx.log.warn('An engine does not answer and is started again', { unit: unit.name, pid: process.identity.pid });
  unit.silent = 0;
  try {
    await unit.start(slot);
  } finally {
    // One that cannot be ended now may end later, and then somebody has to notice.
    await unit.keep(slot);
  }
}
