import path from 'node:path';
import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import type { ReloadPlan, Unit } from '@sbox/protocol';
import type { OverlayReport } from '../engines/overlay-command.ts';
import { readOwn, type Disk } from './disk.ts';

/** One prepared place to run a unit from. The engine's file never changes once it is there. */
export interface LiveSlot {
  readonly unit: Unit;
  /** Directory below `slots/<unit>`. */
  readonly name: string;
  readonly epoch: number;
  readonly generation: number;
  readonly control: { readonly address: string; readonly secret: string };
  /** Of the inbound that the overlay adds when no other can be probed. */
  readonly probe_port: number;
  /** Ports of this server's settings that went into it. */
  readonly ports: Readonly<Record<string, number>>;
  readonly report: OverlayReport;
  /** A request went through it in a trial before it took over. */
  readonly isTried: boolean;
  /** The node that let the trial's request through; the next trial begins with it. */
  readonly proved: string | null;
  /** `sing-box 1.14.4`, the engine that checked it. */
  readonly engine: string;
  /** Each process of a unit runs in a lane of its own: link, control API and cache. Slots of older agents are in the first. */
  readonly lane?: number;
  /** Inbound tag to the port that it listens on, where another engine or the agent has the real one. */
  readonly shift?: Readonly<Record<string, number>>;
  /** The ports that programs use, where they are not those of the report. */
  readonly serves?: readonly ListenPort[];
  /** How it is to take over, or did; absent in slots of older agents. */
  readonly plan?: ReloadPlan;
}

export const laneOf = ({ lane = 0 }: Pick<LiveSlot, 'lane'>): number => lane;

/** The ports that programs connect to. */
export const servedBy = ({ serves, report }: Pick<LiveSlot, 'serves' | 'report'>): readonly ListenPort[] =>
  serves ?? report.listens;

/** `run-0` and so on are what engines are started with, one for each that may run beside another. */
export type LaneLink = `run-${number}`;
export const laneLink = (lane: number): LaneLink => `run-${lane}`;
export type SlotLink = 'current' | 'lkg' | LaneLink;

/**
 * `slots/<unit>/<slot>/{config.json, slot.json}` with the links `current` (what serves), `lkg` (what is good) and one for
 * each lane. `drain.json` beside a slot's file says that its engine serves on only what it has.
 */
export interface Slots {
  /** The file that engines of a lane are started with; it follows the link, so that a signal finds new content there. */
  laneFile(unit: string, lane: number): string;
  directory(unit: string, slot: string): string;
  configFile(unit: string, slot: string): string;
  /** Where a unit's engine runs; relative paths of its configuration begin here. */
  workDirectory(unit: string): string;
  /** Choices made in the engine outlive a version. No two engines can have the same one open. */
  cacheFile(unit: string, lane: number): string;
  /** Makes an empty directory with a name that was not used before. */
  create(unit: string, epoch: number, generation: number): Promise<string>;
  /** Completes a slot: the secret of its control API is on disk before an engine ever hears of it. */
  store(slot: LiveSlot): Promise<void>;
  /** The file for a slot that is laid out anew, until it is replaced. */
  nextFile(unit: string, slot: string): string;
  /** Puts what lies at `nextFile` in place; whatever stops it, file and slot that are read afterwards belong together. */
  replace(next: LiveSlot): Promise<void>;
  /** Undefined also when it is damaged. */
  read(unit: string, slot: string): Promise<LiveSlot | undefined>;
  point(unit: string, link: SlotLink, slot: string): Promise<void>;
  target(unit: string, link: SlotLink): Promise<string | undefined>;
  units(): Promise<string[]>;
  /** All slots of a unit that can be read. */
  all(unit: string): Promise<LiveSlot[]>;
  /** Marks a slot as draining until then (ms since 1970), or, with undefined, as not. */
  drain(unit: string, slot: string, until: number | undefined): Promise<void>;
  /** Until when a slot drains. */
  drainsUntil(unit: string, slot: string): Promise<number | undefined>;
  /** Removes slots that nothing refers to, except those that drain. */
  keep(unit: string, slots: ReadonlySet<string>): Promise<void>;
  /** Removes all slots of a unit, and what its engine wrote. */
  forget(unit: string): Promise<void>;
}

/** Which of the two it is, the file beside it says. */
interface Replaced extends LiveSlot {
  readonly next?: LiveSlot;
}

const isLink = (name: string): boolean => /^(?:current|lkg|run-\d+)(?:\.tmp)?$/.test(name);

export function createSlots(disk: Disk, stateDir: string): Slots {
  const root = path.join(stateDir, 'slots');
  const directory = (unit: string, slot: string): string => path.join(root, unit, slot);
  const drainFile = (unit: string, slot: string): string => path.join(directory(unit, slot), 'drain.json');
  const configFile = (unit: string, slot: string): string => path.join(directory(unit, slot), 'config.json');
  const nextFile = (unit: string, slot: string): string => path.join(directory(unit, slot), 'next.json');
  const write = async (slot: LiveSlot | Replaced): Promise<void> =>
    await disk.write(path.join(directory(slot.unit.name, slot.name), 'slot.json'), JSON.stringify(slot));
  async function read(unit: string, name: string): Promise<LiveSlot | undefined> {
    const found = readOwn(await disk.read(path.join(directory(unit, name), 'slot.json')));
    if (found === undefined) return undefined;
    const { next, ...slot } = found as Replaced;
    if (next === undefined) return slot;
    const bytes = await disk.read(configFile(unit, name));
    return bytes !== undefined && digestOf(bytes, sha256) === next.report.digest ? next : slot;
  }
  async function drainsUntil(unit: string, slot: string): Promise<number | undefined> {
    const mark = readOwn(await disk.read(drainFile(unit, slot))) as { until?: unknown } | undefined;
    return typeof mark?.until === 'number' ? mark.until : undefined;
  }
  return {
    laneFile: (unit, lane) => path.join(root, unit, laneLink(lane), 'config.json'),
    directory,
    configFile,
    nextFile,
    workDirectory: (unit) => path.join(stateDir, 'work', unit),
    cacheFile: (unit, lane) => path.join(stateDir, 'work', unit, lane === 0 ? 'cache.db' : `cache-${lane}.db`),
    async create(unit, epoch, generation) {
      const prefix = `${epoch}.${generation}-`;
      const numbers = (await disk.list(path.join(root, unit)))
        .filter((name) => name.startsWith(prefix))
        .map((name) => Number(name.slice(prefix.length)));
      const name = `${prefix}${Math.max(0, ...numbers) + 1}`;
      await disk.makeDirectory(directory(unit, name));
      return name;
    },
    store: write,
    async replace(next) {
      const { name, unit } = next;
      const before = await read(unit.name, name);
      if (before !== undefined) await write({ ...before, next });
      await disk.move(nextFile(unit.name, name), configFile(unit.name, name));
      await write(next);
    },
    read,
    point: async (unit, link, slot) => await disk.link(slot, path.join(root, unit, link)),
    target: async (unit, link) => await disk.readLink(path.join(root, unit, link)),
    units: async () => await disk.list(root),
    async all(unit) {
      const names = (await disk.list(path.join(root, unit))).filter((name) => !isLink(name));
      const slots = await Promise.all(names.map(async (name) => await read(unit, name)));
      return slots.filter((slot) => slot !== undefined);
    },
    async drain(unit, slot, until) {
      if (until === undefined) await disk.remove(drainFile(unit, slot));
      else await disk.write(drainFile(unit, slot), JSON.stringify({ until }));
    },
    drainsUntil,
    async keep(unit, slots) {
      for (const name of await disk.list(path.join(root, unit))) {
        if (slots.has(name) || isLink(name) || (await drainsUntil(unit, name)) !== undefined) continue;
        await disk.remove(directory(unit, name));
      }
    },
    async forget(unit) {
      await disk.remove(path.join(root, unit));
      await disk.remove(path.join(stateDir, 'work', unit));
    },
  };
}
