import { ProblemError } from '@sbox/core';
import type { Unit } from '@sbox/protocol';
import type { ApplyContext } from './context.ts';
import { Refusal } from './refusal.ts';

/**
 * A request that did not go through a candidate says nothing about it when nothing on this machine gets out. Where a
 * running version let one through, the line is good, and is not asked.
 */
export async function blameUplink(
  ctx: ApplyContext,
  { name, config, probe }: Unit,
  refusal: Refusal,
  signal: AbortSignal,
): Promise<Refusal> {
  const { cause, code, stage, message } = refusal;
  if (code !== 'trial.probe-failed') return refusal;
  const isShared = cause instanceof ProblemError && cause.details?.['shared'] === true;
  const isRunning = ctx.unit(name).process?.isAlive === true;
  if ((isRunning && !isShared) || !(await ctx.uplink.isDown(probe, signal))) return refusal;
  const detail = `${message} (nor does this server reach anything directly)`;
  const error = new ProblemError(code, detail, { details: { shared: true }, cause });
  return new Refusal(stage, error, { name, digest: config.digest });
}
