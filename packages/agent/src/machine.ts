import type { spawn as nodeSpawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import type { Clock } from '@sbox/core';
import { checkConfig } from './engines/check-config.ts';
import { createControlApi, type ControlApi } from './engines/control-api.ts';
import type { Engine } from './engines/find-engine.ts';
import { createProbe, type RunProbe } from './probe/probe.ts';
import { noMover, type Mover } from './reload/mover.ts';
import { openEndPipe, withSpare, type OpenEndPipe } from './supervisor/end-pipe.ts';
import { createLogFile, type LogFile, type LogLimits } from './supervisor/log-file.ts';
import { systemSockets, type Sockets } from './supervisor/ports.ts';
import { createProc, type Proc } from './supervisor/proc.ts';

/** What applying and supervising see of this machine beside its disk and its time; a simulation gives models. */
export interface Machine {
  readonly proc: Proc;
  readonly sockets: Sockets;
  readonly control: ControlApi;
  readonly probe: RunProbe;
  /** Moves new connections from one engine to another. */
  readonly mover: Mover;
  /** Undefined where it is not known. */
  readonly memoryAvailable: () => number | undefined;
  /** The engine's own check of a file. @throws ProblemError `engine.check-failed`, `command.*` */
  readonly check: (engine: Engine, file: string, signal: AbortSignal) => Promise<void>;
  /** Free bytes on the disk of a directory; null where nobody knows. */
  readonly diskFree: (directory: string) => Promise<number | null>;
  readonly openEndPipe: OpenEndPipe;
  readonly openLog: (file: string, limits: LogLimits) => LogFile;
}

export interface MachineDeps {
  readonly clock: Clock;
  readonly spawn: typeof nodeSpawn;
  readonly controlMs: number;
}

/** The machine that this program runs on. */
export function createMachine({ clock, spawn, controlMs }: MachineDeps): Machine {
  const proc = createProc();
  return {
    proc,
    sockets: systemSockets,
    control: createControlApi(controlMs),
    probe: createProbe(clock),
    mover: noMover('nothing on this server moves connections'),
    memoryAvailable: () => proc.memory().availableBytes ?? undefined,
    check: async (engine, file, signal) => await checkConfig(spawn, engine, file, signal),
    async diskFree(directory) {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
    openEndPipe: withSpare(async (prefix) => await openEndPipe(spawn, prefix)),
    openLog: createLogFile,
  };
}
