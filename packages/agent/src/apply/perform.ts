import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { errorFields } from '@sbox/daemon/log';
import type { BlobSource, Order } from '../order.ts';
import { engineName } from '../engines/find-engine.ts';
import type { LiveSlot } from '../state/slots.ts';
import { adoptVersion, recover } from './boot.ts';
import { careForUnits } from './care.ts';
import type { ApplyContext } from './context.ts';
import type { OrderData } from './decide/order-data.ts';
import type { EngineRef, Results, UnitRef, Work } from './decide/effect.ts';
import type { Answer } from './decide/event.ts';
import { toFailure, toRefusal } from './refusal.ts';
import { renewUnit } from './renew.ts';
import { restoreUnit, stopOthers } from './restore.ts';
import { stageUnit } from './stage.ts';
import { survey } from './survey.ts';
import { checkPorts, switchUnit, verifyUnit } from './take-over.ts';
import { collectGarbage } from './tidy.ts';
import { blameUplink } from './uplink-blame.ts';
import { findSlot, findSlots, journalUnitOf, markGood } from './versions.ts';
import { isBetter, keepUnits, look } from './watch.ts';

/** What a piece of work needs beside the machine. */
export interface PerformDeps {
  readonly ctx: ApplyContext;
  /** Where the content of an order comes from. */
  readonly sourceOf: (order: OrderData) => BlobSource;
  readonly wait: (untilMonotonic: number) => Promise<void>;
  /** The agent stops. */
  readonly signal: AbortSignal;
  /** Something newer waits: what is still being downloaded is not worth waiting for. */
  readonly overtaken: AbortSignal;
}

type Result = Results[keyof Results] | null;
type Performers = {
  readonly [K in Work['do']]: (
    deps: PerformDeps,
    work: Extract<Work, { do: K }>,
  ) => Promise<K extends keyof Results ? Results[K] : void>;
};

/** Does one piece of work; whatever goes wrong is its answer. @throws the reason of the signal, when the agent stops */
export async function perform(deps: PerformDeps, work: Work): Promise<Answer> {
  // The table has a row for each kind, and each row takes just that kind.
  const performer = performers[work.do] as (deps: PerformDeps, work: Work) => Promise<Result | undefined>;
  try {
    const result = await performer(deps, work);
    return { type: 'done', of: work.do, result: result ?? null };
  } catch (error) {
    deps.signal.throwIfAborted();
    if (work.isTolerated === true) deps.ctx.log.error('A step failed', { step: work.do, ...errorFields(error) });
    return { type: 'failed', failure: toFailure(error, work.stage ?? 'apply') };
  }
}

const orderOf = ({ key: _key, ...order }: OrderData, blobs: BlobSource): Order => ({ ...order, blobs });

const performers: Performers = {
  recover: async ({ ctx }) => await recover(ctx),
  adopt: async ({ ctx }, { wanted, older }) => await adoptVersion(ctx, wanted, older),
  survey: async ({ ctx }, { order }) => await survey(ctx, order),
  record: async ({ ctx }, { record }) => await ctx.store.journal.append(record),
  accept: async ({ ctx, sourceOf }, { order }) => await ctx.store.accepted.store(orderOf(order, sourceOf(order))),
  renew: async (deps, { order, unit }) => await renewUnit(deps.ctx, jobOf(deps, order), unit),
  stage: stageOne,
  'check-ports': async ({ ctx }, { slots, kept }) =>
    await checkPorts(ctx, await findSlots(ctx, slots), await findSlots(ctx, kept)),
  stop: async ({ ctx }, { unit }) => await ctx.unit(unit).stop(),
  'stop-others': async ({ ctx }, { units }) => await stopOthers(ctx, units),
  switch: async (deps, ref) => journalUnitOf(await switchUnit(deps.ctx, await slotOf(deps, ref))),
  verify: async (deps, ref) => void (await verifyUnit(deps.ctx, await slotOf(deps, ref), deps.signal)),
  restore: async ({ ctx }, ref) => await restoreUnit(ctx, ref),
  keep: async ({ ctx }, { slots }) => await keepUnits(ctx, slots),
  look: async ({ ctx, signal }, { slots }) => await look(ctx, slots, signal),
  compare: async ({ ctx, signal }, { version, serving }) => ({
    isBetter: await isBetter(ctx, version, { serving, signal }),
  }),
  'ask-uplink': async ({ ctx, signal }, { unit }) => {
    const targets = ctx.unit(unit).slot?.unit.probe;
    return { isDown: targets !== undefined && (await ctx.uplink.isDown(targets, signal)) };
  },
  mark: async ({ ctx }, { version }) => await markGood(ctx, version),
  tidy: async ({ ctx }) => await collectGarbage(ctx),
  'find-strike': findStrike,
  quarantine: async ({ ctx }, { strike }) => await ctx.store.quarantine.put(strike),
  'put-hold': async ({ ctx }, { hold }) => await ctx.store.hold.put(hold),
  'release-hold': async ({ ctx }) => await ctx.store.hold.release(),
  'find-files': async (deps, { slots }) => {
    for (const ref of slots) await findFile(deps, await slotOf(deps, ref));
  },
  care: async ({ ctx, signal }) => {
    await careForUnits(ctx);
    await ctx.uplink.recheck(signal);
  },
  wait: async ({ wait }, { until }) => await wait(until),
};

const jobOf = ({ sourceOf, signal, overtaken }: PerformDeps, order: OrderData) => ({
  order: orderOf(order, sourceOf(order)),
  signal,
  overtaken,
});

async function stageOne(
  deps: PerformDeps,
  { order, unit: name }: Extract<Work, { do: 'stage' }>,
): Promise<Results['stage']> {
  const unit = order.manifest.units.find((each) => each.name === name);
  if (unit === undefined) throw new TypeError(`the order has no unit "${name}"`);
  try {
    const slot = await stageUnit(deps.ctx, jobOf(deps, order), unit);
    return { unit: journalUnitOf(slot), isTried: slot.isTried };
  } catch (error) {
    deps.signal.throwIfAborted();
    throw await blameUplink(deps.ctx, unit, toRefusal(error, 'verify'), deps.signal);
  }
}

async function slotOf({ ctx }: PerformDeps, ref: UnitRef): Promise<NonNullable<Awaited<ReturnType<typeof findSlot>>>> {
  const slot = await findSlot(ctx, ref);
  if (slot === undefined) throw new TypeError(`slot ${ref.slot} of unit "${ref.unit}" is gone`);
  return slot;
}

/** Without its file, and what that is made of, what runs now would be ended for nothing. */
async function findFile({ ctx }: PerformDeps, { unit: { name, config }, name: slot, report }: LiveSlot): Promise<void> {
  const { disk, slots, blobs } = ctx.store;
  const bytes = await disk.read(slots.configFile(name, slot));
  if (bytes !== undefined && digestOf(bytes, sha256) === report.digest) return;
  if (await blobs.has(config.digest)) return;
  throw new TypeError(`the file of slot ${slot} of unit "${name}" is gone or damaged`);
}

async function findStrike({ ctx }: PerformDeps, { digest, engine }: EngineRef): Promise<Results['find-strike']> {
  const wanted = engine ?? engineName(await ctx.engines.find());
  return { engine: wanted, strike: (await ctx.store.quarantine.find(digest, wanted)) ?? null };
}
