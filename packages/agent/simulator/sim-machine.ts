import type * as fs from 'node:fs/promises';
import { ProblemError, digestOf, isoTime, redactText, type Clock } from '@sbox/core';
import { writeAtomic, type Files } from '@sbox/daemon/files';
import { sha256 } from '@sbox/daemon/keys';
import type { ControlApi } from '../src/engines/control-api.ts';
import type { Engine, EngineFinder } from '../src/engines/find-engine.ts';
import { makeOverlay } from '../src/engines/overlay-command.ts';
import type { RunOverlay } from '../src/engines/run-overlay.ts';
import type { Machine } from '../src/machine.ts';
import type { RunProbe } from '../src/probe/probe.ts';
import type { LogFile } from '../src/supervisor/log-file.ts';
import type { Prng } from './prng.ts';
import type { SimRedirects } from './sim-mover.ts';
import { readEngineFile } from './renditions.ts';
import { isTrial, type SimProcess, type SimProcesses } from './sim-processes.ts';
import type { Life } from './sim-time.ts';

/** What is true outside of the programs that run. */
export interface Surroundings {
  isUplinkDown: boolean;
  /** Undefined: it was removed. */
  engineVersion: string | undefined;
}

export interface MachineParts {
  readonly life: Life;
  readonly clock: Clock;
  readonly files: Files;
  readonly processes: SimProcesses;
  readonly redirects: SimRedirects;
  readonly surroundings: Surroundings;
  readonly logs: Map<string, string>;
  readonly logFds: Map<number, string>;
  readonly random: Prng;
  readonly controlMs: number;
  readonly note: (words: string) => void;
  /** A request went through an engine that ran these bytes. */
  readonly onProved: (process: SimProcess) => void;
  /** An overlay was made: from which rendition, with which result. */
  readonly onOverlay: (rendition: string, result: string, output: string) => void;
}

/** The machine as one life of the agent sees it. */
export const createSimMachine = (parts: MachineParts): Machine => ({
  proc: parts.processes.proc(parts.life),
  sockets: {
    free: async (count) => await Promise.resolve(freePorts(parts, count)),
    bind: async ({ listen_port }) =>
      await Promise.resolve(parts.processes.isFree(listen_port) ? undefined : 'EADDRINUSE'),
  },
  control: createControl(parts),
  probe: createSimProbe(parts),
  mover: parts.redirects.mover(parts.life, parts.note),
  memoryAvailable: () => 1_000_000_000,
  diskFree: async () => await Promise.resolve(1_000_000_000_000),
  check: createCheck(parts),
  openEndPipe: async () => await Promise.resolve({ fd: 3, close: () => {} }),
  openLog: (file) => createSimLog(parts, file),
});

function freePorts({ processes, random }: MachineParts, count: number): number[] {
  const found = new Set<number>();
  while (found.size < count) {
    const port = random.int(40_000, 60_000);
    if (processes.isFree(port)) found.add(port);
  }
  return [...found];
}

const portOf = (address: string): number => Number(address.split(':').at(-1));

function createControl({ clock, processes, controlMs }: MachineParts): ControlApi {
  const reach = async (address: string): Promise<SimProcess | undefined> => {
    const holder = processes.holderOf(portOf(address));
    if (holder?.isHung === true) await clock.sleep(controlMs);
    return holder === undefined || holder.isHung || holder.instance?.upAtMs === undefined ? undefined : holder;
  };
  return {
    async ask({ address, secret }) {
      const found = await reach(address);
      if (found === undefined) return 'nobody';
      return found.instance?.control?.secret === secret ? 'ours' : 'other';
    },
    select: async ({ address }) => (await reach(address)) !== undefined,
    selectors: async ({ address }) => {
      if ((await reach(address)) === undefined) throw new Error('connection refused');
      return new Map();
    },
    mode: async () => await Promise.resolve(''),
    setMode: async () => await Promise.resolve(true),
    connections: async ({ address }) => {
      const found = await reach(address);
      if (found === undefined) throw new Error('connection refused');
      return { open: (found.instance?.busyUntilMs ?? 0) > clock.monotonic() ? 3 : 0, bytes: 0 };
    },
  };
}

function createSimProbe({ clock, processes, redirects, surroundings, random, onProved }: MachineParts): RunProbe {
  const isThrough = (process: SimProcess | undefined): boolean => {
    const kind = process?.instance?.upAtMs !== undefined && !process.isHung ? process.instance.kind : 'mute';
    if (kind === 'mute' || surroundings.isUplinkDown) return false;
    return kind !== 'pretending' || (process !== undefined && isTrial(process));
  };
  return async (way, { timeout_ms }, signal) => {
    const holder = way === undefined ? undefined : processes.holderOf(redirects.resolve(way.port));
    const ok = way === undefined ? !surroundings.isUplinkDown : isThrough(holder);
    const isQuick = ok || holder === undefined;
    const waited = clock.sleep(isQuick ? random.int(5, 80) : timeout_ms, signal);
    const isOver = await waited.then(
      () => false,
      () => true,
    );
    if (ok && !isOver && holder !== undefined && isThrough(holder)) onProved(holder);
    const detail = ok && !isOver ? 'answered 204' : 'no answer';
    return { ok: ok && !isOver, ms: ok && !isOver ? 20 : null, detail, at: isoTime(clock.now()) };
  };
}

function createCheck({ clock, files }: MachineParts): Machine['check'] {
  return async (_engine, file, signal) => {
    await clock.sleep(20, signal);
    const read = readEngineFile(await files.readFile(file));
    if (read === undefined) throw new ProblemError('engine.check-failed', 'decode config: unexpected end of JSON');
    if (read.kind === 'unchecked') throw new ProblemError('engine.check-failed', 'outbounds[0].type: not like this');
  };
}

/** The real overlay on the disk of the model. */
export const createSimOverlay =
  ({ clock, files, onOverlay }: MachineParts): RunOverlay =>
  async ({ input, output, slot, signal }) => {
    await clock.sleep(5, signal);
    const source = await files.readFile(input);
    const { report, text } = makeOverlay(source.toString('utf8'), slot);
    onOverlay(digestOf(source, sha256), report.digest, output);
    await writeAtomic(output, text, 0o600, files);
    return report;
  };

export const createSimEngines = ({ surroundings }: MachineParts): EngineFinder => ({
  async find() {
    const { engineVersion: version } = surroundings;
    if (version === undefined) throw new ProblemError('engine.not-found', 'no sing-box at /usr/bin/sing-box');
    const engine: Engine = { kind: 'sing-box', path: '/usr/bin/sing-box', version, tags: ['with_clash_api'] };
    return await Promise.resolve(engine);
  },
});

function createSimLog({ logs, logFds }: MachineParts, file: string): LogFile {
  const text = (): string => logs.get(file) ?? '';
  return {
    file,
    async open() {
      const fd = logFds.size + 10;
      logFds.set(fd, file);
      const handle = { fd, close: async () => await Promise.resolve() };
      return await Promise.resolve(handle as unknown as fs.FileHandle);
    },
    size: async () => await Promise.resolve(text().length),
    readFrom: async (offset) => await Promise.resolve(text().slice(offset)),
    tail: async (lines) => await Promise.resolve(redactText(text()).split('\n').filter(Boolean).slice(-lines)),
    trim: async () => await Promise.resolve(0),
    rotate: async () => await Promise.resolve(),
    prune: async () => await Promise.resolve(),
  } satisfies LogFile;
}
