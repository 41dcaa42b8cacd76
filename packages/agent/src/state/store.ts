import path from 'node:path';
import { openAccepted, type Accepted } from './accepted.ts';
import { createBlobs, type Blobs } from './blobs.ts';
import { isDiskProblem, removeAsides, type Disk } from './disk.ts';
import { createHoldFile, type HoldFile } from './hold.ts';
import { openJournal, type Journal } from './journal.ts';
import { compact } from './journal-replay.ts';
import { createProcessRecords, type ProcessRecords } from './process-records.ts';
import { createQuarantine, type Quarantine } from './quarantine.ts';
import { createSlots, type Slots } from './slots.ts';

/** The state directory, part by part. */
export interface Store {
  readonly disk: Disk;
  readonly directory: string;
  readonly journal: Journal;
  readonly accepted: Accepted;
  readonly blobs: Blobs;
  readonly slots: Slots;
  readonly records: ProcessRecords;
  readonly quarantine: Quarantine;
  readonly hold: HoldFile;
}

const maxRecords = 300;

export async function openStore(disk: Disk, directory: string): Promise<Store> {
  const own = [directory, path.join(directory, 'procs'), path.join(directory, 'quarantine')];
  await removeAsides(disk, own).catch((error: unknown) => {
    // It is only about room.
    if (!isDiskProblem(error)) throw error;
  });
  const journal = await openJournal({ disk, stateDir: directory, compact, maxRecords });
  return {
    disk,
    directory,
    journal,
    accepted: await openAccepted(disk, directory),
    blobs: createBlobs(disk, directory),
    slots: createSlots(disk, directory),
    records: createProcessRecords(disk, directory),
    quarantine: createQuarantine(disk, directory),
    hold: createHoldFile(disk, directory),
  };
}
