import path from 'node:path';
import { ProblemError, digestOf, isDigest } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { BlobSource } from '../order.ts';
import type { Disk } from './disk.ts';

/** Renditions on this machine, each under its digest. What is in here has been verified. */
export interface Blobs {
  fileOf(digest: string): string;
  has(digest: string): Promise<boolean>;
  read(digest: string): Promise<Buffer | undefined>;
  /**
   * Gets content from the source unless it is here already.
   * @throws ProblemError `blob.digest-mismatch`, `blob.fetch-failed`, `blob.not-found`
   */
  fetch(digest: string, size: number, source: BlobSource, signal: AbortSignal): Promise<void>;
  /** Removes all but these. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

export function createBlobs(disk: Disk, stateDir: string): Blobs {
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
  return {
    fileOf,
    read,
    has: async (digest) => (await read(digest)) !== undefined,
    async fetch(digest, size, source, signal) {
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
        if (!digests.has(`sha256:${name}`)) await disk.remove(path.join(directory, name));
      }
    },
  };
}
