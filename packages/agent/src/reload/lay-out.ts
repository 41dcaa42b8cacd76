import { ProblemError } from '@sbox/core';
import { probeTag, type ListenPort, type Slot } from '@sbox/engines/sing-box/run';
import type { ReloadPlan, ReloadStrategy, Unit } from '@sbox/protocol';
import type { ApplyContext } from '../apply/context.ts';
import { newSecret } from '../apply/trial.ts';
import { engineName, type Engine } from '../engines/find-engine.ts';
import type { OverlayReport } from '../engines/overlay-command.ts';
import { isInRange } from '../engines/version-range.ts';
import { laneOf, servedBy, type LiveSlot } from '../state/slots.ts';
import { findDoubledPort, lastingPorts } from '../supervisor/ports.ts';
import { freeLane, inboundTags, isShifted, meet } from './lanes.ts';
import { planReload, type LiveFacts } from './plan.ts';

/** A version to be laid out for one unit of this server. */
export interface LayOutJob {
  readonly unit: Unit;
  readonly engine: Engine;
  /** Where its files are, by the paths that it calls them. */
  readonly files: Slot['files'];
  /** The file to write. */
  readonly output: string;
  readonly signal: AbortSignal;
  /** Ways that turned out to be impossible, and why. */
  readonly except?: ReadonlyMap<ReloadStrategy, string>;
}

/** What a slot is beside its name and the version in it. */
export type Layout = Pick<
  LiveSlot,
  'control' | 'probe_port' | 'ports' | 'report' | 'engine' | 'lane' | 'shift' | 'serves' | 'plan'
>;

/** Where an engine is put: what the overlay adds to a rendition. */
type Place = Required<Pick<LiveSlot, 'control' | 'probe_port' | 'lane' | 'shift'>> & { readonly ownProbe: boolean };

/**
 * Chooses how a version will take over, and writes the file for an engine in the place that this needs.
 * @throws ProblemError `config.invalid`, `engine.check-failed`, `unit.port-in-use`
 */
export async function layOut(ctx: ApplyContext, job: LayOutJob): Promise<Layout> {
  const { place, report, plan } = await planLayOut(ctx, job);
  const serves = servedPorts(report);
  const next = await choosePlace(ctx, job, { place, plan, serves });
  const final = next === place ? report : await writeAt(ctx, job, next);
  await ctx.check(job.engine, job.output, job.signal);
  const { control, probe_port, lane, shift } = next;
  const laid = { control, probe_port, ports: ctx.ports, engine: engineName(job.engine), lane, plan };
  return isShifted({ shift })
    ? { ...laid, shift, serves, report: withBothProbes(final, report) }
    : { ...laid, report: final };
}

/** How a version would take over, without anything that lasts. */
export async function planLayOut(
  ctx: ApplyContext,
  job: LayOutJob,
): Promise<{ place: Place; report: OverlayReport; plan: ReloadPlan }> {
  const place = await placeOfLive(ctx, job.unit.name);
  const report = await writeAt(ctx, job, place);
  refuseDoubledPorts(report, Object.keys(ctx.ports).length > 0);
  const { unit, engine, except } = job;
  const serves = servedPorts(report);
  const swapProblem = await ctx.mover.findProblem(serves);
  const facts = {
    unit: unit.name,
    live: await describeLive(ctx, unit.name, serves),
    wanted: { digest: unit.config.digest, engine: engineName(engine), ports: ctx.ports, report },
    reload: unit.reload,
    isFronted: ctx.mover.holdsPorts && swapProblem === undefined,
    swapProblem,
    memoryAvailableBytes: ctx.memoryAvailable(),
  };
  return { place, report, plan: planReload(facts, except) };
}

const servedPorts = ({ listens }: OverlayReport): ListenPort[] => listens.filter(({ tag }) => tag !== probeTag);

/** In the lane of what runs or ran, on the ports that programs use. */
async function placeOfLive(ctx: ApplyContext, name: string): Promise<Place> {
  const { process, slot } = ctx.unit(name);
  const live = process?.isAlive === true ? slot : undefined;
  const { control, probe_port } = await newPlace(ctx);
  return {
    control: { ...control, address: live?.control.address ?? control.address },
    probe_port: live?.probe_port ?? probe_port,
    lane: slot === undefined ? 0 : laneOf(slot),
    shift: {},
    ownProbe: false,
  };
}

async function newPlace({
  random,
  sockets,
  randomBytes,
}: ApplyContext): Promise<Pick<Place, 'control' | 'probe_port'>> {
  const [controlPort, probe_port = 0] = await lastingPorts(2, random, sockets);
  return { control: { address: `127.0.0.1:${controlPort}`, secret: newSecret(randomBytes) }, probe_port };
}

interface Choice {
  readonly place: Place;
  readonly plan: ReloadPlan;
  readonly serves: readonly ListenPort[];
}

async function choosePlace(ctx: ApplyContext, { unit }: LayOutJob, { place, plan, serves }: Choice): Promise<Place> {
  const { slot: live, draining } = ctx.unit(unit.name);
  const { strategy } = plan;
  if (live !== undefined && (strategy === 'no-op' || strategy === 'live')) {
    const { control, probe_port, shift = {}, report } = live;
    return { control, probe_port, lane: laneOf(live), shift, ownProbe: report.own_probe?.tag === probeTag };
  }
  const running = [...(live === undefined ? [] : [live]), ...draining.map(({ slot }) => slot)];
  const isSecond = strategy === 'swap' || strategy === 'overlap';
  const isHeld = strategy === 'swap' && running.some(({ report }) => meet(report.listens, serves));
  const isFronted = ctx.mover.holdsPorts && (await ctx.mover.findProblem(serves)) === undefined;
  if (!isSecond && !isFronted) return place;
  const lane = isSecond ? freeLane(running) : place.lane;
  const shift = isHeld || (isFronted && strategy !== 'overlap') ? await shiftFor(ctx, serves) : {};
  const { control, probe_port } = isSecond ? await newPlace(ctx) : place;
  return { control, probe_port, lane, shift, ownProbe: isSecond && !isShifted({ shift }) };
}

async function shiftFor({ random, sockets }: ApplyContext, serves: readonly ListenPort[]): Promise<Place['shift']> {
  const tags = inboundTags(serves);
  const ports = await lastingPorts(tags.length, random, sockets);
  return Object.fromEntries(tags.map((tag, index) => [tag, ports[index] ?? 0]));
}

async function writeAt(ctx: ApplyContext, { unit, engine, files, output, signal }: LayOutJob, place: Place) {
  const { store, ports } = ctx;
  const { control, probe_port, lane, shift, ownProbe } = place;
  const slot: Slot = {
    mode: 'live',
    ports: { ...ports, ...shift },
    control,
    cache_path: store.slots.cacheFile(unit.name, lane),
    log: {},
    once: unit.once,
    files,
    probe_port,
    own_probe: ownProbe,
    share_ports: isInRange(engine.version, '>=1.12'),
  };
  return await ctx.overlay({ input: store.blobs.fileOf(unit.config.digest), output, signal, slot });
}

/** Requests to the port that programs use may reach another engine; those to its own port reach only this one. */
const withBothProbes = (final: OverlayReport, real: OverlayReport): OverlayReport => {
  const own = final.own_probe ?? final.probe;
  const probe = final.probe?.tag === probeTag ? final.probe : real.probe;
  return { ...final, probe, ...(own === null ? {} : { own_probe: own }) };
};

async function describeLive(
  ctx: ApplyContext,
  name: string,
  serves: readonly ListenPort[],
): Promise<LiveFacts | undefined> {
  const { process, slot, draining, isLinked } = ctx.unit(name);
  if (process?.isAlive !== true || slot === undefined) return undefined;
  return {
    digest: slot.unit.config.digest,
    engine: slot.engine,
    ports: slot.ports,
    report: slot.report,
    connections: await ctx.control.connections(slot.control).then(
      ({ open }) => open,
      () => null,
    ),
    rssBytes: ctx.proc.rssBytes(process.identity.pid),
    isShifted: isShifted(slot),
    isLinked,
    draining: draining.map((one) => ({
      connections: one.connections,
      holdsPorts: meet(one.slot.report.listens, serves),
    })),
  };
}

function refuseDoubledPorts({ listens }: OverlayReport, isOverridden: boolean): void {
  const doubled = findDoubledPort(listens);
  if (doubled === undefined) return;
  const [first, second] = doubled;
  const detail = `${second.path}.listen_port: ${second.network} port ${second.listen_port} is taken by "${first.tag}"`;
  // With the server's own ports in it, it is not the bytes alone that are wrong.
  throw new ProblemError(isOverridden ? 'unit.port-in-use' : 'config.invalid', detail);
}

/** The slot on the ports that programs use, where nothing can send connections elsewhere any more. */
export async function unshift(ctx: ApplyContext, slot: LiveSlot): Promise<LiveSlot> {
  const { unit, name, control, probe_port, generation } = slot;
  const engine = await ctx.engines.find(unit.engine_build);
  const output = ctx.store.slots.nextFile(unit.name, name);
  const place = { control, probe_port, lane: laneOf(slot), shift: {}, ownProbe: false };
  const job = { unit, engine, output, files: filesOfSlot(ctx, slot), signal: AbortSignal.timeout(60_000) };
  const { shift: _, serves: _serves, ...rest } = slot;
  const whole = { ...rest, report: await writeAt(ctx, job, place) };
  ctx.log.warn('A unit goes back to its own ports', { unit: unit.name, generation, ports: servedBy(slot).length });
  await ctx.store.slots.replace(whole);
  return whole;
}

/** What was written on this machine names its own files; it has no generation. */
export const filesOfSlot = ({ store }: Pick<ApplyContext, 'store'>, { unit, generation }: LiveSlot): Slot['files'] =>
  generation === 0
    ? undefined
    : Object.fromEntries((unit.files ?? []).map(({ path, digest }) => [path, store.blobs.fileOf(digest)]));
