import path from 'node:path';
import type { Unit } from '@sbox/protocol';
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
}

export type SlotLink = 'current' | 'lkg';

/** `slots/<unit>/<slot>/{config.json, slot.json}` with the links `current` (what is in use) and `lkg` (what is good). */
export interface Slots {
  /** The file that engines are started with; it follows the link, so that a signal finds the new content there. */
  liveFile(unit: string): string;
  directory(unit: string, slot: string): string;
  configFile(unit: string, slot: string): string;
  /** Where a unit's engine runs; relative paths of its configuration begin here. */
  workDirectory(unit: string): string;
  /** Choices made in the engine outlive a version. */
  cacheFile(unit: string): string;
  /** Makes an empty directory with a name that was not used before. */
  create(unit: string, epoch: number, generation: number): Promise<string>;
  /** Completes a slot: the secret of its control API is on disk before an engine ever hears of it. */
  store(slot: LiveSlot): Promise<void>;
  /** Undefined also when it is damaged. */
  read(unit: string, slot: string): Promise<LiveSlot | undefined>;
  point(unit: string, link: SlotLink, slot: string): Promise<void>;
  target(unit: string, link: SlotLink): Promise<string | undefined>;
  units(): Promise<string[]>;
  /** Removes slots that nothing refers to. */
  keep(unit: string, slots: ReadonlySet<string>): Promise<void>;
  /** Removes all slots of a unit, and what its engine wrote. */
  forget(unit: string): Promise<void>;
}

const links = new Set(['current', 'lkg']);

export function createSlots(disk: Disk, stateDir: string): Slots {
  const root = path.join(stateDir, 'slots');
  const directory = (unit: string, slot: string): string => path.join(root, unit, slot);
  return {
    liveFile: (unit) => path.join(root, unit, 'current', 'config.json'),
    directory,
    configFile: (unit, slot) => path.join(directory(unit, slot), 'config.json'),
    workDirectory: (unit) => path.join(stateDir, 'work', unit),
    cacheFile: (unit) => path.join(stateDir, 'work', unit, 'cache.db'),
    async create(unit, epoch, generation) {
      const prefix = `${epoch}.${generation}-`;
      const numbers = (await disk.list(path.join(root, unit)))
        .filter((name) => name.startsWith(prefix))
        .map((name) => Number(name.slice(prefix.length)));
      const name = `${prefix}${Math.max(0, ...numbers) + 1}`;
      await disk.makeDirectory(directory(unit, name));
      return name;
    },
    store: async (slot) =>
      await disk.write(path.join(directory(slot.unit.name, slot.name), 'slot.json'), JSON.stringify(slot)),
    async read(unit, slot) {
      return readOwn(await disk.read(path.join(directory(unit, slot), 'slot.json'))) as LiveSlot | undefined;
    },
    point: async (unit, link, slot) => await disk.link(slot, path.join(root, unit, link)),
    target: async (unit, link) => await disk.readLink(path.join(root, unit, link)),
    units: async () => await disk.list(root),
    async keep(unit, slots) {
      for (const name of await disk.list(path.join(root, unit))) {
        if (!slots.has(name) && !links.has(name)) await disk.remove(directory(unit, name));
      }
    },
    async forget(unit) {
      await disk.remove(path.join(root, unit));
      await disk.remove(path.join(stateDir, 'work', unit));
    },
  };
}
