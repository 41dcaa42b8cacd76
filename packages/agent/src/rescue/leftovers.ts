import { lstat, rename, rm, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { statePaths } from '../identity/identity.ts';
import { ownEntries } from './own-entries.ts';
import type { Repair, Step } from './step.ts';

/** A lock, a socket and half-written files of an agent that is gone. Found before anything is locked. */
export const leftovers: Repair = {
  name: 'leftovers',
  find: async ({ scene: { stateDir, agentPid }, stamp }) => {
    if ((await agentPid()) !== undefined) return [];
    const { lock, socket } = statePaths(stateDir);
    return [...(await staleLock(lock, stamp)), ...(await staleSocket(socket)), ...(await halfWritten(stateDir))];
  },
};

async function staleLock(lock: string, stamp: string): Promise<Step[]> {
  const stats = await lstat(lock).catch(() => undefined);
  if (stats === undefined) return [];
  if (stats.isFile() || stats.isSymbolicLink())
    return [{ what: `remove the lock ${lock}: its process is gone`, act: async () => await unlink(lock) }];
  const aside = `${lock}.aside-${stamp}`;
  return [
    { what: `set ${lock} aside as ${path.basename(aside)}: it is no lock`, act: async () => await rename(lock, aside) },
  ];
}

async function staleSocket(socket: string): Promise<Step[]> {
  const stats = await lstat(socket).catch(() => undefined);
  if (stats === undefined || (stats.isSocket() && (await answers(socket)))) return [];
  return [
    {
      what: `remove the socket ${socket}: nobody listens on it`,
      act: async () => await rm(socket, { recursive: true }),
    },
  ];
}

const answers = async (socket: string): Promise<boolean> =>
  await new Promise((resolve) => {
    const connection = connect({ path: socket, timeout: 2000 });
    const end = (isThere: boolean): void => {
      connection.destroy();
      resolve(isThere);
    };
    connection.once('connect', () => end(true));
    // Somebody holds it, though he is busy.
    connection.once('timeout', () => end(true));
    connection.once('error', () => end(false));
  });

/** What a write or a lock leaves when its process ends in the middle. */
async function halfWritten(stateDir: string): Promise<Step[]> {
  return (await ownEntries(stateDir))
    .map(({ file }) => file)
    .filter((file) => /\.[0-9a-f]{8}-[0-9a-f-]{27}\.tmp$|\/agent\.lock\.(\d+|dead)$|\/\.doctor-\d+$/.test(file))
    .map((file) => ({
      what: `remove ${file}: it was never completed`,
      act: async () => await rm(file, { force: true }),
    }));
}
