import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { ProblemError } from '@sbox/core';
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
 * somebody else's by now) is taken over. @throws ProblemError `agent.running`
 */
export async function openStateLock({
  stateDir,
  pid,
  startTime = readStartTime,
  bootId = readBootId(),
}: LockOptions): Promise<AsyncDisposable> {
  const { lock } = statePaths(stateDir);
  const mine = `${pid} ${startTime(pid) ?? ''} ${bootId}`;
  const aside = `${lock}.${pid}`;
  await writeFile(aside, mine, { mode: 0o600 });
  try {
    for (let attempt = 1; ; attempt += 1) {
      if (await tryLink(aside, lock)) break;
      const holder = await readFile(lock, 'utf8').catch(() => '');
      if (attempt === tries || isAlive(holder, startTime, bootId)) {
        throw new ProblemError('agent.running', `${stateDir} is used by process ${holder.split(' ')[0] ?? '?'}`);
      }
      await takeAway(lock, holder);
    }
  } finally {
    await unlink(aside).catch(() => {});
  }
  return {
    async [Symbol.asyncDispose]() {
      if ((await readFile(lock, 'utf8').catch(() => '')) === mine) await unlink(lock).catch(() => {});
    },
  };
}

/** Pid of the process that holds a lock; undefined when nobody does. Changes nothing. */
export async function readLockHolder(lock: string): Promise<number | undefined> {
  const holder = await readFile(lock, 'utf8').catch(() => '');
  return isAlive(holder, readStartTime, readBootId()) ? Number(holder.split(' ')[0]) : undefined;
}

const tryLink = async (from: string, to: string): Promise<boolean> => {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
};

/** Moves a dead lock away by rename, so that of two starters only one can move it; a live one goes back. */
async function takeAway(lock: string, holder: string): Promise<void> {
  const away = `${lock}.dead`;
  await rename(lock, away).catch(() => {});
  const moved = await readFile(away, 'utf8').catch(() => holder);
  if (moved !== holder) await tryLink(away, lock).catch(() => false);
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
