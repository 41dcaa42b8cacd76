import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from '@sbox/daemon/files';

/** What a file was when it was looked at; another `mark` means that it may have changed. */
export interface FileFacts {
  readonly size: number;
  /** Since it was last written to. */
  readonly ageMs: number;
  readonly mark: string;
}

/** Files that are too large to be held in memory. What writes is durable when it resolves. */
export interface LargeFiles {
  /** Undefined when there is no such file. */
  facts(file: string): Promise<FileFacts | undefined>;
  /** Writes behind the first `at` bytes; whatever stood there before is cut off. */
  writeAt(file: string, at: number, bytes: Uint8Array): Promise<void>;
  /** `sha256:<hex>` of all of it, read piece by piece. */
  digestOf(file: string, signal?: AbortSignal): Promise<string>;
  read(file: string): AsyncIterable<Uint8Array>;
  /** The first bytes, fewer when it is shorter. */
  head(file: string, length: number): Promise<Uint8Array>;
  /** Gives a complete file its name and mode. */
  publish(file: string, as: string, mode: number): Promise<void>;
  /** What this user may still write there. */
  freeBytes(directory: string): Promise<number>;
}

export function createLargeFiles(): LargeFiles {
  return {
    facts,
    writeAt,
    async digestOf(file, signal) {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Buffer);
      return `sha256:${hash.digest('hex')}`;
    },
    read: (file) => createReadStream(file, { highWaterMark: 1024 * 1024 }),
    head,
    async publish(file, as, mode) {
      await fs.chmod(file, mode);
      await fs.rename(file, as);
      await syncDirectory(path.dirname(as));
    },
    async freeBytes(directory) {
      const { bavail, bsize } = await fs.statfs(directory);
      return bavail * bsize;
    },
  };
}

async function facts(file: string): Promise<FileFacts | undefined> {
  try {
    const stats = await fs.stat(file);
    if (!stats.isFile()) return undefined;
    const { size, mtimeMs, ino, dev } = stats;
    return { size, ageMs: Date.now() - mtimeMs, mark: `${dev} ${ino} ${size} ${mtimeMs}` };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

async function writeAt(file: string, at: number, bytes: Uint8Array): Promise<void> {
  const handle = await fs.open(file, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    await handle.truncate(at);
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
      done += bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function head(file: string, length: number): Promise<Uint8Array> {
  const handle = await fs.open(file, constants.O_RDONLY);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
