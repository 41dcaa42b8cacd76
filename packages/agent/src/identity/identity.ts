import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openDirectory, readJson, writeJson } from '@sbox/daemon/files';
import { openKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { ProblemError } from '@sbox/core';
import { joinAgain } from './join-again.ts';
import * as z from 'zod/mini';

const identitySchema = z.strictObject({
  server_id: z.string(),
  name: z.string(),
  /** Empty on a server that takes only bundles. */
  manager_urls: z.array(z.string()),
  /** `sha256:<hex>` of the manager's root key. */
  pin: z.string(),
  joined_at: z.string(),
});

/** Who this server is, and to whom. */
export type Identity = z.output<typeof identitySchema>;

export const statePaths = (stateDir: string) => ({
  identity: path.join(stateDir, 'identity.json'),
  key: path.join(stateDir, 'agent.key'),
  trust: path.join(stateDir, 'trust.json'),
  lock: path.join(stateDir, 'agent.lock'),
  socket: path.join(stateDir, 'agent.sock'),
  /** Bundles that `sboxagent import` left while no agent ran. */
  inbox: path.join(stateDir, 'inbox'),
});

/**
 * Makes the state directory, readable by its owner only. One that is there keeps its mode: it may be somebody else's.
 * @throws ProblemError `directory.unusable`; `settings.unsafe` when others may write to it
 */
export async function openStateDirectory(stateDir: string): Promise<void> {
  if (await openDirectory(stateDir)) return;
  const { mode } = await stat(stateDir);
  if ((mode & 0o022) === 0) return;
  throw new ProblemError('settings.unsafe', `others may write to the state directory ${stateDir}`, {
    fix: `Choose another state_dir, or: chmod go-w ${stateDir}`,
  });
}

/** Undefined on a server that never joined. @throws ProblemError `settings.invalid` when the file is not ours. */
export async function readIdentity(stateDir: string): Promise<Identity | undefined> {
  const file = statePaths(stateDir).identity;
  const found = await readJson(file).catch((error: unknown) => {
    throw new ProblemError('settings.invalid', `${file} is damaged: it cannot be read`, {
      cause: error,
      fix: joinAgain,
    });
  });
  if (found === undefined) return undefined;
  const parsed = z.safeParse(identitySchema, found);
  if (!parsed.success) {
    const detail = `${file} is damaged: it is not what sboxagent join writes`;
    throw new ProblemError('settings.invalid', detail, { fix: joinAgain });
  }
  return parsed.data;
}

export const writeIdentity = async (stateDir: string, identity: Identity): Promise<void> => {
  await writeJson(statePaths(stateDir).identity, identity);
};

/** The key of this server; made when there is none. */
export const openServerKey = async (stateDir: string): Promise<KeyPair> => await openKeyPair(statePaths(stateDir).key);
