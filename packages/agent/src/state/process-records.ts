import path from 'node:path';
import type { ProcessIdentity } from '../supervisor/proc.ts';
import { readOwn, type Disk } from './disk.ts';

export interface ProcessRecord extends ProcessIdentity {
  readonly started_at: number;
  /** Of the rendition that it was started with. */
  readonly digest: string;
  readonly engine: string;
}

/** `procs/<unit>.json`: which process runs a unit, for the agent that comes after this one. */
export interface ProcessRecords {
  read(unit: string): Promise<ProcessRecord | undefined>;
  put(unit: string, record: ProcessRecord): Promise<void>;
  remove(unit: string): Promise<void>;
}

export function createProcessRecords(disk: Disk, stateDir: string): ProcessRecords {
  const directory = path.join(stateDir, 'procs');
  const fileOf = (unit: string): string => path.join(directory, `${unit}.json`);
  return {
    read: async (unit) => readOwn(await disk.read(fileOf(unit))) as ProcessRecord | undefined,
    async put(unit, record) {
      await disk.makeDirectory(directory);
      await disk.write(fileOf(unit), JSON.stringify(record));
    },
    remove: async (unit) => await disk.remove(fileOf(unit)),
  };
}
