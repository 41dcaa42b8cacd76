import * as fs from 'node:fs/promises';
import path from 'node:path';
import { readIfExists, syncDirectory, writeAtomic } from '@sbox/daemon/files';
import { openKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { statePaths } from './identity.ts';

/**
 * The keys of this server, each in a file of its own: the one in use, during a rotation the next one, and after it the
 * one before, for a manager that comes back from an old backup.
 */
export interface ServerKeys {
  /** What requests are signed with. */
  readonly key: KeyPair;
  readonly next: KeyPair | undefined;
  readonly previous: KeyPair | undefined;
  /** When the key in use was made. */
  readonly madeMs: number;
  /** Makes the next key, or takes the one that is there; it is stored before anybody hears of it. */
  prepare(): Promise<KeyPair>;
  /** Signs with the next one from now on, as long as this process lives. */
  useNext(): void;
  /** Back to the key that is stored as the one in use. */
  useStored(): void;
  /** The next key is the one in use for good. */
  promote(): Promise<void>;
}

export async function openServerKeys(stateDir: string): Promise<ServerKeys> {
  const file = statePaths(stateDir).key;
  const files = { key: file, next: `${file}.next`, previous: `${file}.previous` };
  const openIfThere = async (name: string): Promise<KeyPair | undefined> =>
    (await readIfExists(name)) === undefined ? undefined : await openKeyPair(name);
  let stored = await openKeyPair(files.key);
  let next = await openIfThere(files.next);
  let previous = await openIfThere(files.previous);
  let key = stored;
  let { mtimeMs: madeMs } = await fs.stat(files.key);
  return {
    get key() {
      return key;
    },
    get next() {
      return next;
    },
    get previous() {
      return previous;
    },
    get madeMs() {
      return madeMs;
    },
    prepare: async () => (next ??= await openKeyPair(files.next)),
    useNext() {
      key = next ?? key;
    },
    useStored() {
      key = stored;
    },
    async promote() {
      if (!next) return;
      // A copy first: between the two steps there are two files with the key in use, never none.
      await writeAtomic(files.previous, await fs.readFile(files.key));
      await fs.rename(files.next, files.key);
      await syncDirectory(path.dirname(file));
      ({ mtimeMs: madeMs } = await fs.stat(files.key));
      [previous, stored, key, next] = [stored, next, next, undefined];
    },
  };
}
