import path from 'node:path';
import { compareGenerations, type Generation } from '@sbox/core';
import type { Disk } from './disk.ts';

/** The file `hold`: nothing is applied while it lies there. An operator may just touch it. */
export interface Hold {
  readonly reason: string;
  /** Set by a rollback: a newer order than this ends it. */
  readonly until: Generation | null;
}

export interface HoldFile {
  read(): Promise<Hold | undefined>;
  put(hold: Hold): Promise<void>;
  release(): Promise<void>;
}

export function createHoldFile(disk: Disk, stateDir: string): HoldFile {
  const file = path.join(stateDir, 'hold');
  return {
    async read() {
      const text = (await disk.read(file))?.toString('utf8');
      return text === undefined ? undefined : parseHold(text);
    },
    put: async (hold) => await disk.write(file, JSON.stringify(hold)),
    release: async () => await disk.remove(file),
  };
}

function parseHold(text: string): Hold {
  try {
    const { reason, until } = JSON.parse(text) as Partial<Hold>;
    if (typeof reason === 'string') return { reason, until: until ?? null };
  } catch {
    // An operator's own words, or nothing at all.
  }
  return { reason: text.trim().slice(0, 200) || 'a hold file lies in the state directory', until: null };
}

export const isEndedBy = (hold: Hold, generation: Generation): boolean =>
  hold.until !== null && compareGenerations(generation, hold.until) > 0;
