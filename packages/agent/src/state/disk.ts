import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { readIfExists, syncDirectory, writeAtomic } from '@sbox/daemon/files';

/** Everything that the agent does to its state directory; each call is durable when it resolves. */
export interface Disk {
  /** Bytes of a file, or undefined when there is none. */
  read(file: string): Promise<Buffer | undefined>;
  /** Replaces a file, mode 0600: readers see the old or the new content and nothing between. */
  write(file: string, content: string | Uint8Array): Promise<void>;
  append(file: string, text: string): Promise<void>;
  /** Points a symbolic link somewhere else in one step. */
  link(target: string, file: string): Promise<void>;
  readLink(file: string): Promise<string | undefined>;
  /** Mode 0700, with its parents. */
  makeDirectory(directory: string): Promise<void>;
  /** Names in a directory, sorted; none when there is no such directory. */
  list(directory: string): Promise<string[]>;
  /** Removes a file or a whole directory; fine when there is none. */
  remove(entry: string): Promise<void>;
}

export function createDisk(): Disk {
  return {
    read: readIfExists,
    write: async (file, content) => await writeAtomic(file, content),
    append,
    link,
    readLink: async (file) => await orUndefined(fs.readlink(file)),
    async makeDirectory(directory) {
      await fs.mkdir(directory, { recursive: true, mode: 0o700 });
      await syncDirectory(path.dirname(directory));
    },
    list: async (directory) => ((await orUndefined(fs.readdir(directory))) ?? []).toSorted(),
    async remove(entry) {
      await fs.rm(entry, { recursive: true, force: true });
      await syncDirectory(path.dirname(entry)).catch(ignoreMissing);
    },
  };
}

async function append(file: string, text: string): Promise<void> {
  const handle = await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function link(target: string, file: string): Promise<void> {
  const aside = `${file}.tmp`;
  await fs.rm(aside, { force: true });
  await fs.symlink(target, aside);
  await fs.rename(aside, file);
  await syncDirectory(path.dirname(file));
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}

const orUndefined = async <T>(found: Promise<T>): Promise<T | undefined> => await found.catch(ignoreMissing);

/** One of our own files; damaged ones count as gone, because an agent that does not start brings nothing back. */
export function readOwn(bytes: Buffer | undefined): unknown {
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

const diskCodes = new Set(['ENOSPC', 'EROFS', 'EIO', 'EDQUOT']);

/** The disk says no to everybody, whatever was written: full, read-only or broken. */
export function isDiskProblem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && diskCodes.has(String(error.code));
}

/** Tells about the disk as writes find it: a message when one failed, null once one works again. */
export function watchDisk(disk: Disk, report: (problem: string | null) => void): Disk {
  const watched =
    <A extends unknown[]>(write: (...args: A) => Promise<void>) =>
    async (...args: A): Promise<void> => {
      try {
        await write(...args);
        report(null);
      } catch (error) {
        if (isDiskProblem(error)) report(error.message);
        throw error;
      }
    };
  return {
    ...disk,
    write: watched(disk.write),
    append: watched(disk.append),
    link: watched(disk.link),
    makeDirectory: watched(disk.makeDirectory),
  };
}
