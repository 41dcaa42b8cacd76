import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';

/**
 * Puts a file in its place whole or not at all, readable by its owner only: what we write has secrets in it.
 * @throws ProblemError `command.failed`
 */
export async function writeWhole(target: string, content: string | Uint8Array): Promise<void> {
  const draft = `${target}.tmp`;
  try {
    await writeThrough(draft, content);
    await rename(draft, target);
    await syncFolder(path.dirname(target));
  } catch (error) {
    await rm(draft, { force: true });
    throw new ProblemError('command.failed', `${target} cannot be written: ${messageOf(error)}`, {
      cause: error,
      fix: 'Name a file in a directory that is there and may be written: --file FILE',
    });
  }
}

async function writeThrough(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
