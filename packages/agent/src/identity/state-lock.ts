import { readFile, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { isDiskProblem } from '../state/disk.ts';
import { statePaths } from './identity.ts';

export interface LockOptions {
  readonly stateDir: string;
  readonly pid: number;
  /** Start time of a process in clock ticks since boot, or undefined when it is gone. */
  readonly startTime?: (pid: number) => string | undefined;
  /** Changes with every boot of the machine. */
  readonly bootId?: string;
}

const tries = 3;

/**
 * Makes sure that one agent at a time uses a state directory. A lock whose process is gone (also when its pid is
 * somebody else's by now) is taken over. It is a link to what it says, which is whole as soon as it is there and needs no
 * room on a disk that is full. @throws ProblemError `agent.running`, `disk.full`
 */
export async function openStateLock({
  stateDir,
  pid,
  startTime = readStartTime,
  bootId = readBootId(),
}: LockOptions): Promise<AsyncDisposable> {
  const { lock } = statePaths(stateDir);
  const mine = `${pid} ${startTime(pid) ?? ''} ${bootId}`;
  for (let attempt = 1; !(await tryPut(lock, mine)); attempt += 1) {
    const holder = await readText(lock);
    if (attempt === tries || isAlive(holder, startTime, bootId)) {
      throw new ProblemError('agent.running', `${stateDir} is used by process ${holder.split(' ')[0] ?? '?'}`);
    }
    await takeAway(lock, holder);
  }
  return {
    async [Symbol.asyncDispose]() {
      if ((await readText(lock)) === mine) await unlink(lock).catch(() => {});
    },
  };
}

/** Locks of earlier agents are files. */
const readText = async (lock: string): Promise<string> =>
  await readlink(lock).catch(async () => await readFile(lock, 'utf8').catch(() => ''));

/** Pid of the process that holds a lock; undefined when nobody does. Changes nothing. */
export async function readLockHolder(lock: string): Promise<number | undefined> {
  const holder = await readText(lock);
  return isAlive(holder, readStartTime, readBootId()) ? Number(holder.split(' ')[0]) : undefined;
}

const tryPut = async (lock: string, text: string): Promise<boolean> => {
  try {
    await symlink(text, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    if (!isDiskProblem(error)) throw error;
    throw new ProblemError('disk.full', `no lock can be put into ${path.dirname(lock)}: ${error.message}`, {
      fix: `See df, df -i and mount of ${path.dirname(lock)}, make room, then: sboxagent doctor`,
      cause: error,
    });
  }
};

/** Moves a dead lock away by rename, so that of two starters only one can move it; a live one goes back. */
async function takeAway(lock: string, holder: string): Promise<void> {
  const away = `${lock}.dead`;
  await rename(lock, away).catch(() => {});
  const moved = await readText(away);
  if (moved !== '' && moved !== holder) await tryPut(lock, moved).catch(() => false);
  await unlink(away).catch(() => {});
}

function isAlive(holder: string, startTime: (pid: number) => string | undefined, bootId: string): boolean {
  const [pid, started, bootedAs = bootId] = holder.split(' ');
  return Boolean(started) && bootedAs === bootId && startTime(Number(pid)) === started;
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Field 22 of `/proc/<pid>/stat` (proc(5)); the name in field 2 may hold spaces and brackets. */
export function readStartTime(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
