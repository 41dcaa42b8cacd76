import * as fs from 'node:fs/promises';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { syncDirectory } from '@sbox/daemon/files';
import { openKeyPair } from '@sbox/daemon/keys';
import { lockDataDirectory } from './data-lock.ts';

/**
 * Gives a manager that is stopped another key to sign orders with. The file is replaced in one step; the next start puts
 * the key into the next trust document and signs the orders that there are anew, and agents that see an order by an
 * unknown key ask the root key about it.
 * @throws ProblemError `manager.running`, `file.not-found` where no manager was
 */
export async function rotateOnlineKey(dataDir: string): Promise<{ keyid: string }> {
  const keys = path.join(path.resolve(dataDir), 'keys');
  const [file, next] = [path.join(keys, 'online.pem'), path.join(keys, 'online.pem.next')];
  await fs.access(file).catch((cause: unknown) => {
    throw new ProblemError('file.not-found', `no manager was started on ${dataDir}`, { cause });
  });
  using _lock = lockDataDirectory(path.resolve(dataDir));
  // What an interrupted rotation left was never used.
  await fs.rm(next, { force: true });
  const { keyid } = await openKeyPair(next);
  await fs.rename(next, file);
  await syncDirectory(keys);
  return { keyid };
}
