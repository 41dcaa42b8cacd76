import path from 'node:path';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { singBox } from '@sbox/engines/sing-box/run';
import type { ControlApi } from '../engines/control-api.ts';
import type { EngineFinder } from '../engines/find-engine.ts';
import type { Instance } from '../reload/drain.ts';
import type { ProcessRecords } from '../state/process-records.ts';
import { laneLink, laneOf, type LiveSlot, type SlotLink, type Slots } from '../state/slots.ts';
import { adopt, launch, type ProcessDeps } from './engine-process.ts';
import { endAll, findLeftBehind } from './family.ts';
import { findProcessesWith } from './find-processes.ts';
import type { LogFile } from './log-file.ts';
import { untilReady, type Readiness } from './ready.ts';

export interface RunnerDeps extends ProcessDeps {
  /** Of the unit. */
  readonly name: string;
  readonly stateDir: string;
  /** Where the engine's relative paths begin. */
  readonly workDir: string;
  readonly engines: EngineFinder;
  readonly slots: Slots;
  readonly records: ProcessRecords;
  readonly control: ControlApi;
  readonly logFile: LogFile;
  readonly log: Logger;
  readonly startMs: number;
}

/** Starts engines of one unit, and knows where they are found again. */
export interface Runner {
  /** Everything that runs with a file below it is a copy of this unit. */
  readonly directory: string;
  /** Starts the program that the slot was made for. @throws ProblemError `engine.*` */
  launch(slot: LiveSlot): Promise<Instance>;
  waitFor(instance: Omit<Instance, 'isLinked'>): Promise<Readiness>;
  /** Has both links show this slot: that of its lane, and the one of what serves. */
  point(slot: LiveSlot): Promise<void>;
  /** Writes down which process serves. */
  remember(instance: Instance): Promise<void>;
  /** Ends what runs from the directory and is none of these. @throws ProblemError `unit.failed` */
  endOthers(kept: readonly number[]): Promise<void>;
}

const sweepMs = 1000;

export function createRunner(deps: RunnerDeps): Runner {
  const { name, slots, log, logFile } = deps;
  const directory = path.join(deps.stateDir, 'slots', name);

  /** False on a disk that takes no more writes: that must not keep a unit down. */
  async function pointTo(link: SlotLink, slot: LiveSlot): Promise<boolean> {
    try {
      if ((await slots.target(name, link)) !== slot.name) await slots.point(name, link, slot.name);
      return true;
    } catch (error) {
      log.error('The link to the slot could not be changed', { unit: name, ...errorFields(error) });
      return false;
    }
  }

  return {
    directory,
    async launch(slot) {
      const isLinked = await pointTo(laneLink(laneOf(slot)), slot);
      const file = isLinked ? slots.laneFile(name, laneOf(slot)) : slots.configFile(name, slot.name);
      const engine = await deps.engines.find(slot.unit.engine_build);
      const logStart = await logFile.size();
      const { args } = singBox.runCommand(file, deps.workDir);
      const process = await launch(deps, { program: engine.path, args, cwd: deps.workDir, log: logFile });
      return { process, slot, isLinked, logStart };
    },
    async waitFor({ process, slot: { control, report }, logStart }) {
      const { startMs: timeoutMs } = deps;
      return await untilReady(deps, { process, control, listens: report.listens, timeoutMs, log: logFile, logStart });
    },
    async point(slot) {
      await pointTo('current', slot);
      await pointTo(laneLink(laneOf(slot)), slot);
    },
    async remember({ process, slot: { unit, engine } }) {
      const record = { ...process.identity, started_at: process.startedAt, digest: unit.config.digest, engine };
      await deps.records.put(name, record).catch((error: unknown) => {
        // It is found by its command line too.
        log.warn('The pid could not be written down', { unit: name, ...errorFields(error) });
      });
    },
    async endOthers(kept) {
      for (const identity of findProcessesWith(deps.proc, directory)) {
        if (kept.includes(identity.pid)) continue;
        log.warn('An engine that nobody watched is ended', { unit: name, pid: identity.pid });
        await adopt(deps, identity, deps.clock.now()).stop();
      }
      // Also what an engine started that is gone itself.
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await endAll(deps, findLeftBehind(deps.proc, deps.workDir, kept), signal, Math.min(sweepMs, deps.stopMs));
      }
    },
  };
}
