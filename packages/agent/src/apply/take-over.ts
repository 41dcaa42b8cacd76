import { ProblemError } from '@sbox/core';
import { planReload } from '@sbox/engines/sing-box/run';
import type { ProbeResult } from '../probe/probe.ts';
import type { LiveSlot } from '../state/slots.ts';
import { findBusyPorts } from '../supervisor/ports.ts';
import type { Readiness } from '../supervisor/ready.ts';
import type { ApplyContext } from './context.ts';
import { Refusal, toRefusal } from './refusal.ts';

const refOf = ({ unit }: LiveSlot): { name: string; digest: string } => ({
  name: unit.name,
  digest: unit.config.digest,
});

/** Looks before anything is touched whether the ports can be had that the new slots add. @throws Refusal `unit.port-in-use` */
export async function checkPorts(ctx: ApplyContext, slots: readonly LiveSlot[]): Promise<void> {
  const own = ctx.units().flatMap(({ process }) => (process?.isAlive === true ? [process.identity.pid] : []));
  for (const slot of slots) {
    const [busy] = await findBusyPorts(ctx.proc, slot.report.listens, own);
    if (busy === undefined) continue;
    const { port, holder, reason } = busy;
    const where = `${port.listen}:${port.listen_port} (${port.network}, inbound "${port.tag}")`;
    const isTaken = reason === 'EADDRINUSE';
    const detail = isTaken
      ? `${where} is taken by ${holder ?? 'another program'}`
      : `${where} cannot be opened: ${reason}`;
    throw new Refusal('apply', new ProblemError('unit.port-in-use', detail), refOf(slot));
  }
}

/**
 * Puts one slot in the place of what runs and waits until it is ready. `refused`: the old one serves on, untouched.
 * @throws Refusal
 */
export async function switchUnit(ctx: ApplyContext, slot: LiveSlot): Promise<void> {
  const unit = ctx.unit(slot.unit.name);
  const readiness = await switchBy(ctx, slot).catch((error: unknown) => {
    throw toRefusal(error, 'apply', refOf(slot));
  });
  if (readiness.kind === 'ready') return;
  const code = readiness.kind === 'refused' ? 'apply.refused' : 'apply.failed';
  ctx.log.warn('The engine did not take over', { unit: unit.name, kind: readiness.kind, words: readiness.words });
  throw new Refusal('apply', new ProblemError(code, readiness.words), refOf(slot));
}

async function switchBy(ctx: ApplyContext, slot: LiveSlot): Promise<Readiness> {
  const unit = ctx.unit(slot.unit.name);
  const live = unit.process?.isAlive === true && unit.slot !== undefined ? unit.slot : undefined;
  const plan = planReload(live && { rendition_digest: live.unit.config.digest, engine: live.engine }, {
    rendition_digest: slot.unit.config.digest,
    engine: slot.engine,
  });
  const isReload = plan.kind !== 'restart' && slot.unit.reload !== 'restart';
  return isReload ? await unit.reload(slot) : await unit.start(slot);
}

/** Requests through the engine that just took over, until one set of them is good or the time is over. */
export async function verifyUnit(
  ctx: ApplyContext,
  slot: LiveSlot,
  signal: AbortSignal,
): Promise<ProbeResult | undefined> {
  const way = slot.report.probe;
  if (way === null) return undefined;
  const { clock, settings } = ctx;
  const process = ctx.unit(slot.unit.name).process;
  const deadline = clock.monotonic() + settings.verify_ms;
  for (;;) {
    const result = await ctx.probe(way, slot.unit.probe, signal);
    signal.throwIfAborted();
    ctx.unit(slot.unit.name).probe = result;
    if (result.ok) return result;
    if (process?.isAlive !== true)
      throw new Refusal('apply', new ProblemError('apply.failed', 'it ended'), refOf(slot));
    if (clock.monotonic() >= deadline) {
      throw new Refusal('apply', new ProblemError('apply.probe-failed', result.detail), refOf(slot));
    }
    await clock.sleep(200, signal);
  }
}
