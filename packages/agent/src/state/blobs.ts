import path from 'node:path';
import { ProblemError, digestOf, isDigest } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { BlobSource } from '../order.ts';
import type { Disk } from './disk.ts';
import { download, partAgeMs } from './download.ts';
import { createLargeFiles, type LargeFiles } from './large-files.ts';

/** Renditions on this machine, each under its digest. What is in here has been verified. */
export interface Blobs {
  fileOf(digest: string): string;
  has(digest: string): Promise<boolean>;
  read(digest: string): Promise<Buffer | undefined>;
  /**
   * Gets content from the source unless it is here already; large content goes to the disk as it comes, and on from
   * where it was cut off.
   * @throws ProblemError `blob.digest-mismatch`, `blob.fetch-failed`, `blob.not-found`, `disk.full`
   */
  fetch(digest: string, size: number, source: BlobSource, signal: AbortSignal): Promise<void>;
  /** Removes all but these, and what is still on its way. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

/** What is larger never lies in memory as a whole. */
const largeBytes = 1024 * 1024;

export function createBlobs(disk: Disk, stateDir: string): Blobs {
  const files = createLargeFiles();
  const directory = path.join(stateDir, 'blobs', 'sha256');
  const fileOf = (digest: string): string => {
    if (!isDigest(digest)) throw new ProblemError('manifest.invalid', 'a digest is sha256: and 64 hex digits');
    return path.join(directory, digest.slice('sha256:'.length));
  };
  // A file of ours may have rotted on the disk since it was verified.
  const read = async (digest: string): Promise<Buffer | undefined> => {
    const bytes = await disk.read(fileOf(digest));
    return bytes !== undefined && digestOf(bytes, sha256) === digest ? bytes : undefined;
  };
  const fetchLarge = async (digest: string, size: number, open: Opener, signal: AbortSignal): Promise<void> => {
    const file = fileOf(digest);
    if ((await files.facts(file))?.size === size && (await files.digestOf(file, signal)) === digest) return;
    await disk.makeDirectory(directory);
    const from = async (offset: number, stop: AbortSignal) => await open(digest, offset, stop);
    await download({ disk, files }, { digest, size, file, mode: 0o600, isResumable: true, open: from, signal });
  };
  return {
    fileOf,
    read,
    has: async (digest) => (await read(digest)) !== undefined,
    async fetch(digest, size, source, signal) {
      if (size > largeBytes && source.open !== undefined) {
        await fetchLarge(digest, size, source.open, signal);
        return;
      }
      if ((await read(digest)) !== undefined) return;
      const bytes = await source.fetch(digest, size, signal);
      const found = digestOf(bytes, sha256);
      if (bytes.length !== size || found !== digest) {
        const detail = `expected ${size} bytes with ${digest}, got ${bytes.length} with ${found}`;
        throw new ProblemError('blob.digest-mismatch', detail);
      }
      await disk.makeDirectory(directory);
      await disk.write(fileOf(digest), bytes);
    },
    async keep(digests) {
      for (const name of await disk.list(directory)) {
        const entry = path.join(directory, name);
        if (digests.has(`sha256:${name}`) || (name.endsWith('.part') && (await isFresh(files, entry)))) continue;
        await disk.remove(entry);
      }
    },
  };
}

type Opener = NonNullable<BlobSource['open']>;

/** What came of a download an hour ago is worth having when it goes on. */
export async function isFresh(files: LargeFiles, part: string): Promise<boolean> {
  const found = await files.facts(part);
  return found !== undefined && found.ageMs < partAgeMs;
}
