import { ProblemError } from '@sbox/core';
import { contentOf, type Unit } from '@sbox/protocol';
import { checkConfig } from '../engines/check-config.ts';
import type { Engine } from '../engines/find-engine.ts';
import type { OverlayReport } from '../engines/overlay-command.ts';
import { isInRange } from '../engines/version-range.ts';
import type { Order } from '../order.ts';
import type { LiveSlot } from '../state/slots.ts';
import { findDoubledPort, lastingPorts } from '../supervisor/ports.ts';
import type { ApplyContext, ApplyJob } from './context.ts';
import { filesOf } from './files.ts';
import { Refusal, toRefusal, type ApplyStage } from './refusal.ts';
import { newSecret, prepareTrial, runTrial, type PreparedTrial, type TrialJob, type TrialResult } from './trial.ts';

export const engineName = ({ kind, version }: Engine): string => `${kind} ${version}`;

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
  const slot = await made;
  const result = await at('trial', async () => prepared && (await prove(ctx, trial, await prepared)));
  const whole = { ...slot, isTried: result?.probe?.ok === true, proved: result?.proved ?? proved };
  await at('validate', async () => await ctx.store.slots.store(whole));
  return whole;
}

/** A bad network may take its time, but not for ever: meanwhile nothing else is done. */
const fetchTimeoutMs = 300_000;
/** Of the agent's three connections one waits for news. */
const fetchedAtOnce = 2;

/** Gets what a unit needs and is not here yet. @throws ProblemError `blob.*` */
export async function fetchContent(
  { store, clock }: ApplyContext,
  { blobs }: Order,
  unit: Unit,
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const late = new AbortController();
  clock.sleep(fetchTimeoutMs, done.signal).then(
    () => late.abort(new ProblemError('blob.fetch-failed', `not here after ${fetchTimeoutMs / 1000} s`)),
    () => {},
  );
  try {
    const contents = contentOf(unit);
    for (let start = 0; start < contents.length; start += fetchedAtOnce) {
      const some = contents.slice(start, start + fetchedAtOnce).map(async ({ digest, size }) => {
        await store.blobs.fetch(digest, size, blobs, AbortSignal.any([signal, late.signal]));
      });
      // All of them have ended before anything else begins; then the first that failed says why.
      await Promise.allSettled(some);
      await Promise.all(some);
    }
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
  const engine = await engines.find();
  if (!isInRange(engine.version, unit.engine)) {
    const detail = `the order wants sing-box ${unit.engine}, here is ${engine.version}`;
    throw new ProblemError('engine.unsupported', detail, {
      fix: 'Install a version that fits, or deploy for this one.',
    });
  }
  const strike = await store.quarantine.find(unit.config.digest, engineName(engine));
  if (strike?.isFinal === true) throw new Refusal('verify', new ProblemError(strike.code, strike.message), refOf(unit));
  return engine;
}

const refOf = (unit: Unit): { name: string; digest: string } => ({ name: unit.name, digest: unit.config.digest });

async function makeSlot(
  ctx: ApplyContext,
  order: Order,
  { unit, engine, signal }: StageJob,
): Promise<Omit<LiveSlot, 'isTried' | 'proved'>> {
  const { store, ports, randomBytes } = ctx;
  const { epoch, generation } = order.manifest;
  const name = await store.slots.create(unit.name, epoch, generation);
  await store.disk.makeDirectory(store.slots.workDirectory(unit.name));
  const live = ctx.unit(unit.name);
  const before = live.process?.isAlive === true ? live.slot : undefined;
  const [controlPort, probePort] = await lastingPorts(2, ctx.random);
  const control = { address: before?.control.address ?? `127.0.0.1:${controlPort}`, secret: newSecret(randomBytes) };
  const probe_port = before?.probe_port ?? probePort ?? 0;
  const output = store.slots.configFile(unit.name, name);
  const report = await ctx.overlay({
    input: store.blobs.fileOf(unit.config.digest),
    output,
    signal,
    slot: {
      mode: 'live',
      ports,
      control,
      cache_path: store.slots.cacheFile(unit.name),
      log: {},
      once: unit.once,
      files: filesOf(store, order.source, unit),
      probe_port,
    },
  });
  const slot = { unit, name, epoch, generation, control, probe_port, ports, report, engine: engineName(engine) };
  refuseDoubledPorts(report, Object.keys(ports).length > 0);
  await checkConfig(ctx.spawn, engine, output, signal);
  return slot;
}

function refuseDoubledPorts({ listens }: OverlayReport, isOverridden: boolean): void {
  const doubled = findDoubledPort(listens);
  if (doubled === undefined) return;
  const [first, second] = doubled;
  const detail = `${second.path}.listen_port: ${second.network} port ${second.listen_port} is taken by "${first.tag}"`;
  // With the server's own ports in it, it is not the bytes alone that are wrong.
  throw new ProblemError(isOverridden ? 'unit.port-in-use' : 'config.invalid', detail);
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
