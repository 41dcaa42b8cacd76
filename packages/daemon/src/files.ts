import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';

/** Bytes of a file, or undefined when there is none. */
export async function readIfExists(file: string): Promise<Buffer | undefined> {
  try {
    return await fs.readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Replaces a file so that a reader, and a machine that loses power at any moment, sees the old or the new content and
 * nothing between: write aside, fsync, rename, fsync the directory. `mode` defaults to 0600.
 */
export async function writeAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  // A name of its own, so that two writers at once cannot mix their bytes.
  const aside = `${file}.${randomUUID()}.tmp`;
  try {
    await writeSynced(aside, content, mode);
    await fs.rename(aside, file);
  } catch (error) {
    await fs.rm(aside, { force: true });
    throw error;
  }
  await syncDirectory(path.dirname(file));
}

async function writeSynced(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const handle = await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes renames, links and removals in a directory survive a loss of power. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, constants.O_RDONLY);
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
