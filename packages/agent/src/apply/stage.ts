import path from 'node:path';
import { ProblemError, type Clock } from '@sbox/core';
import { contentOf, type ReloadPlan, type Unit } from '@sbox/protocol';
import { engineName, type Engine } from '../engines/find-engine.ts';
import { isInRange } from '../engines/version-range.ts';
import type { Order } from '../order.ts';
import { layOut, planLayOut } from '../reload/lay-out.ts';
import type { LiveSlot } from '../state/slots.ts';
import type { ApplyContext, ApplyJob } from './context.ts';
import { filesOf } from './files.ts';
import { Refusal, toRefusal, type ApplyStage } from './refusal.ts';
import { prepareTrial, runTrial, type PreparedTrial, type TrialJob, type TrialResult } from './trial.ts';

/** Makes a unit ready to take over without touching what runs: fetched, overlaid, checked, tried. @throws Refusal */
export async function stageUnit(
  ctx: ApplyContext,
  { order, signal, overtaken }: ApplyJob,
  unit: Unit,
): Promise<LiveSlot> {
  const at = async <T>(stage: ApplyStage, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw toRefusal(error, stage, { name: unit.name, digest: unit.config.digest });
    }
  };
  await at('fetch', async () => await fetchEngine(ctx, order, unit, AbortSignal.any([signal, overtaken])));
  const engine = await at('verify', async () => await chooseEngine(ctx, unit));
  await at('fetch', async () => await fetchContent(ctx, order, unit, AbortSignal.any([signal, overtaken])));
  const job: StageJob = { unit, engine, signal };
  const live = ctx.unit(unit.name);
  const proved = live.slot?.proved ?? null;
  const rendition = ctx.store.blobs.fileOf(unit.config.digest);
  const files = filesOf(ctx.store, order.source, unit);
  const trial: TrialJob = { unit, engine, signal, rendition, files, prefer: proved === null ? [] : [proved] };
  // Both overlays are made at once: reading a large rendition takes longer than all the rest.
  const prepared = unit.trial ? prepareTrial(ctx.trial, trial) : undefined;
  const made = at('validate', async () => await makeSlot(ctx, order, job));
  // Whatever becomes of one, the other has ended before anything else begins.
  await Promise.allSettled([prepared, made]);
  const slot = await made.catch(async (error: unknown) => {
    // What was made ready to be tried has secrets in it.
    await prepared?.then(async ({ directory }) => await ctx.store.disk.remove(directory)).catch(() => {});
    throw error;
  });
  const result = await at('trial', async () => prepared && (await prove(ctx, trial, await prepared)));
  const whole = { ...slot, isTried: result?.probe?.ok === true, proved: result?.proved ?? proved };
  await at('validate', async () => await ctx.store.slots.store(whole));
  return whole;
}

/** A bad network may take its time, but not for ever: meanwhile nothing else is done. */
const fetchTimeoutMs = 300_000;
/** Of the agent's three connections one waits for news. */
const fetchedAtOnce = 2;

/** A program has forty times the size of a large config. */
const engineTimeoutMs = 900_000;

/** Gets the program that the order names. @throws ProblemError `blob.*`, `disk.full`, `engine.unsupported` */
async function fetchEngine(
  { engines, clock }: ApplyContext,
  { blobs }: Order,
  { engine_build: build }: Unit,
  signal: AbortSignal,
): Promise<void> {
  if (build === undefined) return;
  await withinTime(clock, engineTimeoutMs, async (late) => {
    await engines.fetch?.(build, blobs, AbortSignal.any([signal, late]));
  });
}

/** Gets what a unit needs and is not here yet. @throws ProblemError `blob.*` */
export async function fetchContent(
  { store, clock }: ApplyContext,
  { blobs }: Order,
  unit: Unit,
  signal: AbortSignal,
): Promise<void> {
  await withinTime(clock, fetchTimeoutMs, async (late) => {
    const contents = contentOf(unit);
    for (let start = 0; start < contents.length; start += fetchedAtOnce) {
      const some = contents.slice(start, start + fetchedAtOnce).map(async ({ digest, size }) => {
        await store.blobs.fetch(digest, size, blobs, AbortSignal.any([signal, late]));
      });
      // All of them have ended before anything else begins; then the first that failed says why.
      await Promise.allSettled(some);
      await Promise.all(some);
    }
  });
}

async function withinTime(clock: Clock, limitMs: number, work: (late: AbortSignal) => Promise<void>): Promise<void> {
  const done = new AbortController();
  const late = new AbortController();
  clock.sleep(limitMs, done.signal).then(
    () => late.abort(new ProblemError('blob.fetch-failed', `not here after ${limitMs / 1000} s`)),
    () => {},
  );
  try {
    await work(late.signal);
  } finally {
    done.abort();
  }
}

interface StageJob {
  readonly unit: Unit;
  readonly engine: Engine;
  readonly signal: AbortSignal;
}

async function chooseEngine({ engines, store }: ApplyContext, unit: Unit): Promise<Engine> {
  const engine = await engines.find(unit.engine_build);
  refuseOutOfRange(engine.version, unit.engine);
  const strike = await store.quarantine.find(unit.config.digest, engineName(engine));
  if (strike?.isFinal === true) throw new Refusal('verify', new ProblemError(strike.code, strike.message), refOf(unit));
  return engine;
}

function refuseOutOfRange(version: string, range: string): void {
  if (isInRange(version, range)) return;
  throw new ProblemError('engine.unsupported', `the order wants sing-box ${range}, here is ${version}`, {
    fix: 'Install a version that fits, or deploy for this one.',
  });
}

const refOf = (unit: Unit): { name: string; digest: string } => ({ name: unit.name, digest: unit.config.digest });

async function makeSlot(
  ctx: ApplyContext,
  { source, manifest: { epoch, generation } }: Order,
  { unit, engine, signal }: StageJob,
): Promise<Omit<LiveSlot, 'isTried' | 'proved'>> {
  const { store } = ctx;
  const name = await store.slots.create(unit.name, epoch, generation);
  await store.disk.makeDirectory(store.slots.workDirectory(unit.name));
  const output = store.slots.configFile(unit.name, name);
  const job = { unit, engine, files: filesOf(store, source, unit), output, signal };
  return { unit, name, epoch, generation, ...(await layOut(ctx, job)) };
}

/**
 * How a unit of an order would take over, and at what price; nothing of what runs is touched.
 * @throws Refusal when it could not be staged
 */
export async function planUnit(
  ctx: ApplyContext,
  { order, signal, overtaken }: ApplyJob,
  unit: Unit,
): Promise<ReloadPlan> {
  const directory = path.join(ctx.trial.stateDir, 'plans', unit.name);
  try {
    await fetchEngine(ctx, order, unit, AbortSignal.any([signal, overtaken]));
    const engine = await chooseEngine(ctx, unit);
    await fetchContent(ctx, order, unit, AbortSignal.any([signal, overtaken]));
    await ctx.store.disk.makeDirectory(directory);
    const output = path.join(directory, 'config.json');
    const files = filesOf(ctx.store, order.source, unit);
    const { plan } = await planLayOut(ctx, { unit, engine, files, output, signal });
    await ctx.check(engine, output, signal);
    return plan;
  } catch (error) {
    signal.throwIfAborted();
    throw toRefusal(error, 'validate', refOf(unit));
  } finally {
    await ctx.store.disk.remove(directory).catch(() => {});
  }
}

/** A probe that fails is compared with the live engine: when that fails too, it says nothing about the candidate. */
async function prove(ctx: ApplyContext, job: TrialJob, prepared: PreparedTrial): Promise<TrialResult> {
  const { unit, signal } = job;
  const result = await runTrial(ctx.trial, job, prepared);
  const { probe } = result;
  signal.throwIfAborted();
  if (probe === undefined || probe.ok) return result;
  const live = ctx.unit(unit.name);
  const way = live.process?.isAlive === true ? live.slot?.report.probe : undefined;
  const beside = way === undefined || way === null ? undefined : await ctx.probe(way, unit.probe, signal);
  const isShared = beside?.ok === false;
  const detail = isShared ? `${probe.detail} (nor did one go through the running version)` : probe.detail;
  throw new ProblemError('trial.probe-failed', detail, { details: { shared: isShared } });
}
