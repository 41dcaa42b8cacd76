import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { readIfExists, syncDirectory, writeAtomic, type Files } from '@sbox/daemon/files';

/** Everything that the agent does to its state directory; each call is durable when it resolves. */
export interface Disk {
  /** Bytes of a file, or undefined when there is none. */
  read(file: string): Promise<Buffer | undefined>;
  /** Replaces a file, mode 0600: readers see the old or the new content and nothing between. */
  write(file: string, content: string | Uint8Array): Promise<void>;
  append(file: string, text: string): Promise<void>;
  /** Gives a file another name in the same directory, in place of what has it. */
  move(from: string, to: string): Promise<void>;
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

/** `files` is what it stands on; a model of one can drop what was not synced. */
export function createDisk(files: Files = fs): Disk {
  const names = createNames(files);
  return {
    read: async (file) => await readIfExists(file, files),
    write: async (file, content) => await writeAtomic(file, content, 0o600, files),
    async append(file, text) {
      await append(files, file, text);
      await names.keep(file);
    },
    async move(from, to) {
      await files.rename(from, to);
      await syncDirectory(path.dirname(to), files);
    },
    link: async (target, file) => await link(files, target, file),
    readLink: async (file) => await orUndefined(files.readlink(file)),
    async makeDirectory(directory) {
      await files.mkdir(directory, { recursive: true, mode: 0o700 });
      await names.keep(directory);
    },
    list: async (directory) => ((await orUndefined(files.readdir(directory))) ?? []).toSorted(),
    async remove(entry) {
      names.forget(entry);
      await files.rm(entry, { recursive: true, force: true });
      await syncDirectory(path.dirname(entry), files).catch(ignoreMissing);
    },
  };
}

/**
 * A file outlives a loss of power only if its name does, and so do the names of all directories above it. Somebody may
 * have been stopped between making and syncing one, so that being there proves nothing: each is synced once.
 */
function createNames(files: Files): { keep: (entry: string) => Promise<void>; forget: (entry: string) => void } {
  const kept = new Set<string>();
  return {
    async keep(entry) {
      for (let at = entry; !kept.has(at) && path.dirname(at) !== at; at = path.dirname(at)) {
        await syncDirectory(path.dirname(at), files).catch(ignoreForbidden);
        kept.add(at);
      }
    },
    forget(entry) {
      for (const name of kept) if (name === entry || name.startsWith(`${entry}/`)) kept.delete(name);
    },
  };
}

/** Directories above our own may be closed to us; whoever made them saw to them. */
function ignoreForbidden(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
}

async function append(files: Files, file: string, text: string): Promise<void> {
  const handle = await files.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function link(files: Files, target: string, file: string): Promise<void> {
  const aside = `${file}.tmp`;
  await files.rm(aside, { force: true });
  await files.symlink(target, aside);
  await files.rename(aside, file);
  await syncDirectory(path.dirname(file), files);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}

const orUndefined = async <T>(found: Promise<T>): Promise<T | undefined> => await found.catch(ignoreMissing);

/** What `write` lays beside a file until it is complete. */
const aside = /\.[0-9a-f-]{36}\.tmp$/;

/** Removes what writes that were cut off left in these directories. */
export async function removeAsides(disk: Disk, directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    const names = (await disk.list(directory)).filter((name) => aside.test(name));
    for (const name of names) await disk.remove(path.join(directory, name));
  }
}

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
    move: watched(disk.move),
    link: watched(disk.link),
    makeDirectory: watched(disk.makeDirectory),
  };
}
