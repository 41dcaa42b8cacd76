import { ProblemError } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import type { ReloadStrategy } from '@sbox/protocol';
import type { ProbeResult } from '../probe/probe.ts';
import { filesOfSlot, layOut } from '../reload/lay-out.ts';
import { servedBy, type LiveSlot } from '../state/slots.ts';
import { findBusyPorts, findDoubledPort } from '../supervisor/ports.ts';
import type { Swapped, SupervisedUnit } from '../supervisor/unit.ts';
import { readChoices, renewChoices, type Choices } from './choices.ts';
import type { ApplyContext } from './context.ts';
import { Refusal, toRefusal } from './refusal.ts';

const refOf = ({ unit }: LiveSlot): { name: string; digest: string } => ({
  name: unit.name,
  digest: unit.config.digest,
});

/** Looks before anything is touched whether the ports can be had that the new slots add. @throws Refusal `unit.port-in-use` */
export async function checkPorts(
  ctx: ApplyContext,
  slots: readonly LiveSlot[],
  kept: readonly LiveSlot[],
): Promise<void> {
  refuseSharedPorts(slots, kept);
  const own = ctx.units().flatMap(({ pids }) => pids);
  for (const slot of slots) {
    const [busy] = await findBusyPorts(ctx.proc, slot.report.listens, own, ctx.sockets);
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

/** Of two units on one port the second would never come up, and each try would take what runs down with it. */
function refuseSharedPorts(slots: readonly LiveSlot[], kept: readonly LiveSlot[]): void {
  const named = (slot: LiveSlot): ListenPort[] =>
    servedBy(slot).map((port) => ({ ...port, path: `${slot.unit.name} ${port.path}` }));
  for (const [index, slot] of slots.entries()) {
    const others = [...kept, ...slots.slice(0, index)];
    const [other, port] = findDoubledPort([...others.flatMap(named), ...named(slot)]) ?? [];
    if (other === undefined || port === undefined) continue;
    const detail = `${port.network} port ${port.listen_port} of ${port.path} is that of ${other.path} too`;
    throw new Refusal('apply', new ProblemError('unit.port-in-use', detail), refOf(slot));
  }
}

/**
 * Puts one slot in the place of what runs, in the way that was planned, and waits until it is ready. Where that turns out
 * to be impossible, the next gentlest way is taken. `apply.refused`, `apply.probe-failed`: the old one serves on, untouched.
 * @returns the slot that serves: laid out anew where another way was taken
 * @throws Refusal
 */
export async function switchUnit(ctx: ApplyContext, slot: LiveSlot): Promise<LiveSlot> {
  const unit = ctx.unit(slot.unit.name);
  const before = unit.slot;
  const choices = await readChoices(ctx, unit.process?.isAlive === true ? before : undefined);
  const except = new Map<ReloadStrategy, string>();
  let next = slot;
  try {
    for (;;) {
      if (next.plan === undefined) next = await layOutAgain(ctx, next, except);
      await makeWay(ctx, next);
      const { plan } = next;
      const strategy = (plan?.strategy ?? 'restart') as ReloadStrategy;
      const result = await (ways[strategy] ?? ways.restart)(ctx, { unit, before, next, choices });
      if (result.kind === 'ready') {
        if (plan !== undefined) unit.note(plan);
        const served = unit.slot ?? next;
        await renewChoices(ctx, before, served, choices);
        await makeWay(ctx, served);
        return served;
      }
      ctx.log.warn('The engine did not take over', {
        unit: unit.name,
        strategy,
        kind: result.kind,
        words: result.words,
      });
      if (result.kind !== 'unmovable') throw new ProblemError(codes[result.kind], result.words);
      except.set(strategy, result.words);
      next = await layOutAgain(ctx, next, except);
    }
  } catch (error) {
    throw toRefusal(error, 'apply', refOf(slot));
  }
}

/**
 * Ends what drains on ports that are another unit's from now on: two engines that share a port each get some of what comes
 * in. To be called before and after a take-over, as the units take over one after another.
 */
export async function makeWay(ctx: ApplyContext, { unit: { name }, report }: LiveSlot): Promise<void> {
  const others = ctx.units().filter((unit) => unit.name !== name);
  for (const other of others) await other.giveUp(report.listens);
  await ctx.unit(name).giveUp(others.flatMap(({ slot }) => slot?.report.listens ?? []));
}

/**
 * Brings a version back that ran before. From one through which requests go as gently as any other; from one that fails
 * at once, by a stop and a start.
 * @returns whether it is ready
 */
export async function bringBack(ctx: ApplyContext, slot: LiveSlot): Promise<boolean> {
  const unit = ctx.unit(slot.unit.name);
  const isWell = unit.process?.isAlive === true && unit.probe?.ok === true && unit.slot?.name !== slot.name;
  if (isWell) {
    const { plan: _, ...unplanned } = slot;
    const served = await switchUnit(ctx, unplanned).catch((error: unknown) => {
      ctx.log.warn('A version could not be brought back gently', { unit: unit.name, ...errorFields(error) });
    });
    if (served !== undefined) return true;
  }
  const laidOut = (await ctx.store.slots.read(unit.name, slot.name)) ?? slot;
  return (await unit.start({ ...laidOut, unit: slot.unit })).kind === 'ready';
}

const codes = {
  refused: 'apply.refused',
  unproved: 'apply.probe-failed',
  exited: 'apply.failed',
  late: 'apply.failed',
} as const;

interface TakeOver {
  readonly unit: SupervisedUnit;
  readonly before: LiveSlot | undefined;
  readonly next: LiveSlot;
  readonly choices: Choices | undefined;
}

type TakeWay = (ctx: ApplyContext, takeOver: TakeOver) => Promise<Swapped>;

const ways: Readonly<Record<ReloadStrategy, TakeWay>> = {
  'no-op': tell,
  live: tell,
  swap: async (ctx, takeOver) => await swap(ctx, takeOver, false),
  overlap: async (ctx, takeOver) => await swap(ctx, takeOver, true),
  'in-place': async (_, { unit, next }) => await unit.reload(next),
  restart: async (_, { unit, next }) => await unit.start(next),
  start: async (_, { unit, next }) => await unit.start(next),
};

/** What somebody chose stays as it is; the rest becomes what the new version says. */
async function tell(ctx: ApplyContext, { unit, before, next, choices }: TakeOver): Promise<Swapped> {
  if (choices === undefined) return { kind: 'unmovable', words: 'the engine does not say what it uses' };
  const problem = await renewChoices(ctx, before, next, choices);
  return problem === undefined ? await unit.tell(next) : { kind: 'unmovable', words: problem };
}

async function swap(
  ctx: ApplyContext,
  { unit, before, next, choices }: TakeOver,
  isOverlap: boolean,
): Promise<Swapped> {
  const way = next.report.own_probe ?? next.report.probe;
  return await unit.swap(next, {
    isOverlap,
    async prove() {
      // Before anybody uses it, so that nobody sees another choice for a moment.
      await renewChoices(ctx, before, next, choices);
      if (way === null) return undefined;
      const deadline = ctx.clock.monotonic() + ctx.settings.verify_ms;
      for (;;) {
        const result = await ctx.probe(way, next.unit.probe, AbortSignal.timeout(ctx.settings.verify_ms));
        if (result.ok) return undefined;
        if (ctx.clock.monotonic() >= deadline) return result.detail;
        await ctx.clock.sleep(200);
      }
    },
  });
}

/** The same slot for another way. */
async function layOutAgain(
  ctx: ApplyContext,
  slot: LiveSlot,
  except: ReadonlyMap<ReloadStrategy, string>,
): Promise<LiveSlot> {
  const { store, engines } = ctx;
  const { unit, name, epoch, generation, isTried, proved } = slot;
  const engine = await engines.find(unit.engine_build);
  const output = store.slots.nextFile(unit.name, name);
  const job = { unit, engine, output, files: filesOfSlot(ctx, slot), signal: AbortSignal.timeout(layOutMs), except };
  const next = { unit, name, epoch, generation, isTried, proved, ...(await layOut(ctx, job)) };
  await store.slots.replace(next);
  return next;
}

const layOutMs = 60_000;

/** Requests through the engine that just took over, until one set of them is good or the time is over. */
export async function verifyUnit(
  ctx: ApplyContext,
  slot: LiveSlot,
  signal: AbortSignal,
): Promise<ProbeResult | undefined> {
  const { process, slot: serving } = ctx.unit(slot.unit.name);
  const way = serving?.name === slot.name ? serving.report.probe : slot.report.probe;
  if (way === null) return undefined;
  const { clock, settings } = ctx;
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
