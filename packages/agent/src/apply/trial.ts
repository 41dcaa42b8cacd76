import path from 'node:path';
import { ProblemError, hex, type RandomBytes } from '@sbox/core';
import { singBox, type Slot } from '@sbox/engines/sing-box/run';
import type { Unit } from '@sbox/protocol';
import type { ControlApi } from '../engines/control-api.ts';
import type { Engine } from '../engines/find-engine.ts';
import type { OverlayReport } from '../engines/overlay-command.ts';
import type { RunOverlay } from '../engines/run-overlay.ts';
import type { ProbeResult, RunProbe } from '../probe/probe.ts';
import type { Disk } from '../state/disk.ts';
import { adopt, launch, type EngineProcess, type ProcessDeps } from '../supervisor/engine-process.ts';
import { findProcessesWith } from '../supervisor/find-processes.ts';
import { logDefaults, type LogFile, type LogLimits } from '../supervisor/log-file.ts';
import type { Sockets } from '../supervisor/ports.ts';
import { untilReady } from '../supervisor/ready.ts';

export interface TrialDeps extends ProcessDeps {
  readonly stateDir: string;
  readonly disk: Disk;
  readonly overlay: RunOverlay;
  readonly sockets: Sockets;
  readonly control: ControlApi;
  readonly probe: RunProbe;
  readonly openLog: (file: string, limits: LogLimits) => LogFile;
  readonly randomBytes: RandomBytes;
  readonly startMs: number;
  /** Told when a trial begins and ends, for the list of processes. */
  readonly onProcess: (unit: string, process: EngineProcess | undefined) => void;
}

export interface TrialJob {
  readonly unit: Unit;
  /** File of the rendition. */
  readonly rendition: string;
  /** Its files, by the paths it calls them. */
  readonly files: Slot['files'];
  readonly engine: Engine;
  /** Nodes to try first: what worked before. */
  readonly prefer: readonly string[];
  readonly signal: AbortSignal;
}

export interface TrialResult {
  /** Undefined when nothing is left that a request could prove. */
  readonly probe: ProbeResult | undefined;
  /** The node that let the request through, where there was a choice. */
  readonly proved: string | undefined;
}

/** A trial whose file is there but whose engine is not. */
export interface PreparedTrial {
  readonly directory: string;
  readonly file: string;
  readonly control: { readonly address: string; readonly secret: string };
  readonly report: OverlayReport;
}

export const newSecret = (randomBytes: RandomBytes): string => hex(randomBytes(16));

/** Nodes in one trial; as many as the overlay leaves in a group. */
const roundSize = 3;

/** Ports of its own and a file without what can be open only once. @throws ProblemError `config.invalid` */
export async function prepareTrial(
  deps: TrialDeps,
  { unit, rendition, files, prefer, signal }: TrialJob,
): Promise<PreparedTrial> {
  const directory = path.join(deps.stateDir, 'trials', unit.name);
  const file = path.join(directory, 'config.json');
  await endTrials(deps, directory);
  await deps.disk.makeDirectory(directory);
  const [controlPort, probe_port] = await deps.sockets.free(2);
  const control = { address: `127.0.0.1:${controlPort}`, secret: newSecret(deps.randomBytes) };
  const slot: Slot = { mode: 'trial', ports: {}, control, log: {}, once: unit.once, files, prefer, probe_port };
  return { directory, file, control, report: await deps.overlay({ input: rendition, output: file, slot, signal }) };
}

/**
 * Starts a version beside the live one and sends a request through it; when the first nodes let none through, some others
 * are tried. Nothing of it is left, whatever happens.
 * @throws ProblemError `trial.start-failed` with the engine's words
 */
export async function runTrial(deps: TrialDeps, job: TrialJob, first?: PreparedTrial): Promise<TrialResult> {
  let prepared = first ?? (await prepareTrial(deps, job));
  try {
    let result = await runRound(deps, job, prepared);
    const { spare } = prepared.report;
    for (let from = 0; from < spare.length && result.probe?.ok === false; from += roundSize) {
      job.signal.throwIfAborted();
      prepared = await prepareTrial(deps, { ...job, prefer: spare.slice(from, from + roundSize) });
      result = await runRound(deps, job, prepared);
    }
    return result;
  } finally {
    await deps.disk.remove(prepared.directory).catch(() => {});
  }
}

async function runRound(deps: TrialDeps, job: TrialJob, prepared: PreparedTrial): Promise<TrialResult> {
  const { directory, file, control, report } = prepared;
  const log = deps.openLog(path.join(directory, 'log'), logDefaults);
  const logStart = await log.size();
  const { args } = singBox.runCommand(file, directory);
  job.signal.throwIfAborted();
  const process = await launch(deps, { program: job.engine.path, args, cwd: directory, log });
  deps.onProcess(job.unit.name, process);
  try {
    const { listens } = report;
    const readiness = await untilReady(deps, { process, control, listens, timeoutMs: deps.startMs, log, logStart });
    if (readiness.kind !== 'ready') throw new ProblemError('trial.start-failed', readiness.words);
    return await probeChoices(deps, job, prepared);
  } finally {
    await process.stop();
    deps.onProcess(job.unit.name, undefined);
  }
}

/** Tries the nodes that the trial may choose from one after another; the first request that comes through is enough. */
async function probeChoices(
  deps: TrialDeps,
  { unit, signal }: TrialJob,
  { report: { probe: way }, control }: PreparedTrial,
): Promise<TrialResult> {
  if (way === null) return { probe: undefined, proved: undefined };
  const { selector = '', members = [] } = way.choices ?? {};
  let [probe, proved] = [await deps.probe(way, unit.probe, signal), members[0]];
  for (const member of members.slice(1)) {
    if (probe.ok || signal.aborted) break;
    if (!(await deps.control.select(control, selector, member))) continue;
    [probe, proved] = [await deps.probe(way, unit.probe, signal), member];
  }
  return { probe, proved: probe.ok ? proved : undefined };
}

/** Ends trials that an agent left behind when it was killed, and removes what it only wanted to plan with. */
export async function sweepTrials(deps: TrialDeps): Promise<void> {
  const directory = path.join(deps.stateDir, 'trials');
  await endTrials(deps, directory);
  await deps.disk.remove(directory);
  await deps.disk.remove(path.join(deps.stateDir, 'plans'));
}

async function endTrials(deps: TrialDeps, directory: string): Promise<void> {
  for (const identity of findProcessesWith(deps.proc, directory)) {
    await adopt(deps, identity, deps.clock.now()).stop();
  }
}
