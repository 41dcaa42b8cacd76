import path from 'node:path';
import { crc32 } from '@sbox/core';
import type { OrderSource } from '../order.ts';
import type { Disk } from './disk.ts';

/** What happened to a version, in the order in which it may happen. BOOT: the agent came up before it was committed. */
export type JournalStep = 'INTENT' | 'STAGED' | 'SWITCHED' | 'BOOT' | 'SERVING' | 'HEALTHY' | 'ROLLEDBACK' | 'REFUSED';

export interface JournalUnit {
  readonly name: string;
  /** Of the rendition. */
  readonly digest: string;
  /** Of the overlaid bytes; null until they are there. */
  readonly overlay: string | null;
  /** Directory of the slot below `slots/<unit>`; null until it is there. */
  readonly slot: string | null;
  readonly config_id: string | null;
  readonly version: number | null;
}

/** One version as the journal knows it. */
export interface JournalVersion {
  readonly epoch: number;
  readonly generation: number;
  readonly source: OrderSource;
  readonly units: readonly JournalUnit[];
}

/** A version that is taken back at some time unless something speaks for it. */
export interface ConfirmTerms {
  /** Wall clock, for people and for the agent that comes after this one. */
  readonly until: string;
  readonly window_ms: number;
  /** Somebody asked for it; otherwise it is there because no trial was possible. */
  readonly is_asked: boolean;
}

export interface JournalRecord extends JournalVersion {
  readonly step: JournalStep;
  readonly at: string;
  readonly code: string | null;
  readonly message: string | null;
  /** With SWITCHED and SERVING; absent where nothing has to be confirmed (any more). */
  readonly confirm?: ConfirmTerms;
}

export const printLine = (record: JournalRecord): string => {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
};

const checksum = (text: string): string => crc32(Buffer.from(text)).toString(16).padStart(8, '0');

/** Reads up to the first line that is torn: what follows it was never acknowledged. */
export function parseJournal(text: string): { records: JournalRecord[]; isTorn: boolean } {
  const records: JournalRecord[] = [];
  const lines = text.split('\n');
  const last = lines.pop();
  for (const line of lines) {
    const json = line.slice(9);
    if (line.slice(0, 9) !== `${checksum(json)} `) return { records, isTorn: true };
    records.push(JSON.parse(json) as JournalRecord);
  }
  return { records, isTorn: last !== '' };
}

export interface Journal {
  readonly records: readonly JournalRecord[];
  /** Durable when it resolves. */
  append(record: JournalRecord): Promise<void>;
}

export interface JournalDeps {
  readonly disk: Disk;
  readonly stateDir: string;
  /** Which records still matter when the journal is rewritten. */
  readonly compact: (records: readonly JournalRecord[]) => readonly JournalRecord[];
  /** Rewritten when it has more records than this. */
  readonly maxRecords: number;
}

/** Opens `journal.ndjson`; a torn end is cut off, because appending to it would hide what comes after. */
export async function openJournal({ disk, stateDir, compact, maxRecords }: JournalDeps): Promise<Journal> {
  const file = path.join(stateDir, 'journal.ndjson');
  const { records, isTorn } = parseJournal((await disk.read(file))?.toString('utf8') ?? '');
  let isDirty = isTorn;

  async function rewrite(kept: readonly JournalRecord[]): Promise<void> {
    await disk.write(file, kept.map(printLine).join(''));
    records.splice(0, records.length, ...kept);
    isDirty = false;
  }

  return {
    records,
    async append(record) {
      if (isDirty) await rewrite([...records]);
      if (records.length >= maxRecords) await rewrite(compact(records));
      // A failed append may leave half a line behind.
      isDirty = true;
      await disk.append(file, printLine(record));
      isDirty = false;
      records.push(record);
    },
  };
}
