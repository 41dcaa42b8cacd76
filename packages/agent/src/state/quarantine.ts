import path from 'node:path';
import { isDigest, type ProblemCode } from '@sbox/core';
import { readOwn, type Disk } from './disk.ts';

/** Why a rendition is not tried (again). */
export interface Strike {
  readonly digest: string;
  /** Another engine may well take what this one refused. */
  readonly engine: string;
  readonly code: ProblemCode;
  readonly message: string;
  readonly at: string;
  /** False: it failed to start once; the same failure again makes it true. */
  readonly isFinal: boolean;
}

/** `quarantine/<digest>.json`: what the bytes alone decided. */
export interface Quarantine {
  find(digest: string, engine: string): Promise<Strike | undefined>;
  put(strike: Strike): Promise<void>;
  lift(digest: string): Promise<void>;
}

/** More than any server will meet; the oldest are forgotten. */
const maxStrikes = 200;

export function createQuarantine(disk: Disk, stateDir: string): Quarantine {
  const directory = path.join(stateDir, 'quarantine');
  const fileOf = (digest: string): string => path.join(directory, `${digest.slice('sha256:'.length)}.json`);
  const read = async (file: string): Promise<Strike | undefined> =>
    readOwn(await disk.read(file)) as Strike | undefined;
  return {
    async find(digest, engine) {
      const strike = isDigest(digest) ? await read(fileOf(digest)) : undefined;
      return strike?.engine === engine ? strike : undefined;
    },
    async put(strike) {
      await disk.makeDirectory(directory);
      await disk.write(fileOf(strike.digest), JSON.stringify(strike));
      const names = (await disk.list(directory)).filter((name) => name.endsWith('.json'));
      if (names.length <= maxStrikes) return;
      const strikes = await Promise.all(names.map(async (name) => await read(path.join(directory, name))));
      const oldest = strikes.filter((item) => item !== undefined).toSorted((a, b) => (a.at < b.at ? -1 : 1))[0];
      if (oldest !== undefined) await disk.remove(fileOf(oldest.digest));
    },
    lift: async (digest) => await disk.remove(fileOf(digest)),
  };
}
