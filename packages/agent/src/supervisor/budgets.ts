import { isoTime, type Clock } from '@sbox/core';
import type { Proc } from './proc.ts';

export interface BudgetSettings {
  /** Of the engines and the agent together; 0: what the machine has. */
  readonly memory_bytes: number;
  /** An engine with more is started again, once; 0: no limit. */
  readonly engine_memory_bytes: number;
  /** To stay free on the disk of the state directory. */
  readonly disk_free_bytes: number;
}

export const budgetDefaults: BudgetSettings = {
  memory_bytes: 0,
  engine_memory_bytes: 0,
  disk_free_bytes: 128 * 1024 * 1024,
};

/** Null where the kernel does not say. */
export interface EngineUsage {
  readonly unit: string;
  readonly pid: number;
  readonly rss_bytes: number | null;
  readonly open_files: number | null;
  readonly file_limit: number | null;
}

export interface Usage {
  readonly engines: readonly EngineUsage[];
  readonly agentBytes: number | null;
  readonly memoryFree: number | null;
  readonly diskFree: number | null;
}

export type PressureType = 'FdPressure' | 'MemoryPressure' | 'DiskPressure';

/** Something that runs short, in words for people. */
export interface Pressure {
  readonly type: PressureType;
  readonly reason: string;
  readonly message: string;
}

/** With less than this free, not even the engine of a trial can be started. */
const leastMemoryBytes = 48 * 1024 * 1024;
const fullShare = 0.8;
/** What is short stays so until there is clearly enough again: a value at the edge must not flicker. */
const slack = 0.95;

/** Pure. What runs short, at most one row for each type. `before`: what was short at the last look. */
export function judgeUsage(
  usage: Usage,
  settings: BudgetSettings,
  before: readonly Pick<Pressure, 'type'>[] = [],
): Pressure[] {
  const edge = (type: PressureType): number => (before.some((one) => one.type === type) ? slack : 1);
  return [
    judgeFiles(usage, edge('FdPressure')),
    judgeMemory(usage, settings, edge('MemoryPressure')),
    judgeDisk(usage, settings, edge('DiskPressure')),
  ].filter((one) => one !== undefined);
}

function judgeFiles({ engines }: Usage, edge: number): Pressure | undefined {
  const full = engines.find(
    ({ open_files, file_limit }) => (open_files ?? 0) >= (file_limit ?? Infinity) * fullShare * edge,
  );
  if (full === undefined) return undefined;
  const message = `${full.unit} has ${full.open_files} of ${full.file_limit} files and sockets open; raise its limit (LimitNOFILE)`;
  return { type: 'FdPressure', reason: 'files', message };
}

function judgeMemory(
  { engines, agentBytes, memoryFree }: Usage,
  { memory_bytes, engine_memory_bytes }: BudgetSettings,
  edge: number,
): Pressure | undefined {
  const row = (reason: string, message: string): Pressure => ({ type: 'MemoryPressure', reason, message });
  const heavy = findHeavy(engines, engine_memory_bytes * edge);
  if (heavy !== undefined) {
    const used = mebibytes(heavy.rss_bytes ?? 0);
    return row('engine', `${heavy.unit} uses ${used}; budget.engine_memory is ${mebibytes(engine_memory_bytes)}`);
  }
  const all = engines.reduce((sum, { rss_bytes }) => sum + (rss_bytes ?? 0), agentBytes ?? 0);
  if (memory_bytes > 0 && all > memory_bytes * edge) {
    return row('budget', `engines and agent use ${mebibytes(all)}; budget.memory is ${mebibytes(memory_bytes)}`);
  }
  if (memoryFree !== null && memoryFree < leastMemoryBytes / edge) {
    return row('machine', `only ${mebibytes(memoryFree)} of memory are left; give the server more, or run less on it`);
  }
  return undefined;
}

function judgeDisk({ diskFree }: Usage, { disk_free_bytes }: BudgetSettings, edge: number): Pressure | undefined {
  if (diskFree === null || diskFree >= disk_free_bytes / edge) return undefined;
  const message = `only ${mebibytes(diskFree)} are free for the state directory; make room, or lower budget.disk_free`;
  return { type: 'DiskPressure', reason: 'disk.low', message };
}

/** The engine that uses most, if that is more than one may. */
export function findHeavy(engines: readonly EngineUsage[], maxBytes: number): EngineUsage | undefined {
  if (maxBytes <= 0) return undefined;
  return engines
    .filter(({ rss_bytes }) => (rss_bytes ?? 0) > maxBytes)
    .toSorted((a, b) => (b.rss_bytes ?? 0) - (a.rss_bytes ?? 0))[0];
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;

/** What engines use, and what runs short; as of the last look. */
export interface Budgets {
  /** Looks, after making room where the disk is nearly full. Never rejects. */
  measure(): Promise<void>;
  usageOf(unit: string): EngineUsage | undefined;
  readonly pressures: readonly Pressure[];
  /** An engine that uses more than it may and was not started again for that in the last hour. */
  takeHeavy(mayRestart: (engine: EngineUsage) => boolean): EngineUsage | undefined;
}

export interface BudgetDeps {
  readonly proc: Pick<Proc, 'rssBytes' | 'openFiles' | 'fileLimit' | 'memory'>;
  /** Free bytes of the disk of the state directory; null where nobody knows. */
  readonly diskFree: () => Promise<number | null>;
  /** Removes what can be done without. */
  readonly makeRoom: () => Promise<void>;
  /** Every process of every unit; the one that serves first. */
  readonly engines: () => readonly { readonly unit: string; readonly pid: number }[];
  readonly settings: BudgetSettings;
  readonly clock: Clock;
  readonly onChange: () => void;
}

const oncePerMs = 3_600_000;

export function createBudgets(deps: BudgetDeps): Budgets {
  const { proc, settings, clock } = deps;
  let engines: readonly EngineUsage[] = [];
  let pressures: readonly Pressure[] = [];
  const restarted = new Map<string, { at: number; time: string }>();

  function show(found: readonly Pressure[]): void {
    // Numbers that move with every look are no news.
    const known = found.map((one) => pressures.find(({ type, reason }) => type === one.type && reason === one.reason));
    const isNews = found.length !== pressures.length || known.includes(undefined);
    pressures = found.map((one, index) => known[index] ?? one);
    if (isNews) deps.onChange();
  }

  async function freeDisk(): Promise<number | null> {
    const before = await deps.diskFree();
    if (before === null || before >= settings.disk_free_bytes) return before;
    await deps.makeRoom().catch(() => {});
    return await deps.diskFree();
  }

  return {
    async measure() {
      engines = deps.engines().map(({ unit, pid }) => ({
        unit,
        pid,
        rss_bytes: proc.rssBytes(pid),
        open_files: proc.openFiles(pid),
        file_limit: proc.fileLimit(pid),
      }));
      const { ownBytes: agentBytes, availableBytes: memoryFree } = proc.memory();
      const diskFree = await freeDisk().catch(() => null);
      const found = judgeUsage({ engines, agentBytes, memoryFree, diskFree }, settings, pressures);
      show(found.map((one) => ({ ...one, message: `${one.message}${noteOf(restarted, one)}` })));
    },
    usageOf: (unit) => engines.find((one) => one.unit === unit),
    get pressures() {
      return pressures;
    },
    takeHeavy(mayRestart) {
      const now = clock.monotonic();
      const rested = engines.filter(({ unit }) => now - (restarted.get(unit)?.at ?? -Infinity) >= oncePerMs);
      const heavy = findHeavy(rested.filter(mayRestart), settings.engine_memory_bytes);
      if (heavy !== undefined) restarted.set(heavy.unit, { at: now, time: isoTime(clock.now()) });
      return heavy;
    },
  };
}

function noteOf(restarted: ReadonlyMap<string, { time: string }>, { reason, message }: Pressure): string {
  if (reason !== 'engine') return '';
  const found = [...restarted].find(([unit]) => message.startsWith(`${unit} `));
  return found === undefined ? '' : `; it was started again for that at ${found[1].time}`;
}
