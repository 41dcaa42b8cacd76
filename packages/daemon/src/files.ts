import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';

/** An open file, as far as state is written through it. */
export interface OpenFile {
  chmod(mode: number): Promise<void>;
  writeFile(content: string | Uint8Array): Promise<void>;
  /** fsync(2): for a directory, its entries. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What state needs of a file system, one call for each step that a loss of power can come between; node:fs/promises is one. */
export interface Files {
  readFile(file: string): Promise<Buffer>;
  open(file: string, flags: number, mode?: number): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, file: string): Promise<void>;
  readlink(file: string): Promise<string>;
  mkdir(directory: string, options: { readonly recursive: true; readonly mode: number }): Promise<string | undefined>;
  readdir(directory: string): Promise<string[]>;
  rm(entry: string, options: { readonly recursive?: boolean; readonly force: true }): Promise<void>;
}

/** Bytes of a file, or undefined when there is none. */
export async function readIfExists(file: string, files: Files = fs): Promise<Buffer | undefined> {
  try {
    return await files.readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Replaces a file so that a reader, and a machine that loses power at any moment, sees the old or the new content and
 * nothing between: write aside, fsync, rename, fsync the directory. `mode` defaults to 0600.
 */
export async function writeAtomic(
  file: string,
  content: string | Uint8Array,
  mode = 0o600,
  files: Files = fs,
): Promise<void> {
  // A name of its own, so that two writers at once cannot mix their bytes.
  const aside = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await files.open(aside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    await writeSynced(handle, content, mode);
    await files.rename(aside, file);
  } catch (error) {
    await files.rm(aside, { force: true });
    throw error;
  }
  await syncDirectory(path.dirname(file), files);
}

async function writeSynced(handle: OpenFile, content: string | Uint8Array, mode: number): Promise<void> {
  try {
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes renames, links and removals in a directory survive a loss of power. */
export async function syncDirectory(directory: string, files: Files = fs): Promise<void> {
  const handle = await files.open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** JSON of one of our own files, or undefined when there is none. A torn file throws: it is not ours then. */
export async function readJson(file: string): Promise<unknown> {
  const bytes = await readIfExists(file);
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as unknown);
}

export const writeJson = async (file: string, value: unknown, mode?: number): Promise<void> => {
  await writeAtomic(file, `${JSON.stringify(value, undefined, 2)}\n`, mode);
};

/**
 * Makes a directory for one program's own use, or takes the one that is there; answers whether it was made.
 * @throws ProblemError `directory.unusable` with what the system says
 */
export async function openDirectory(directory: string): Promise<boolean> {
  try {
    const isNew = (await fs.mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined;
    await fs.access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return isNew;
  } catch (error) {
    throw new ProblemError('directory.unusable', `${directory}: ${messageOf(error)}`, { cause: error });
  }
}
