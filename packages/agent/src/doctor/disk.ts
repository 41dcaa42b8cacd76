import { open, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { printDuration } from '@sbox/core';
import { isDiskProblem } from '../state/disk.ts';
import { describeFull, isFull, readSpace, wantedFreeBytes } from '../state/space.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import type { Scene } from './scene.ts';

const mib = 1024 * 1024;
const leastFreeInodes = 1000;
/** A step of the agent waits for a few of these. */
const slowSyncMs = 500;

/** Space, and whether a file can be written and synced in the state directory. */
export const diskCheck: Check = {
  name: 'disk',
  look: async (scene) => {
    const { stateDir } = scene;
    const there = await stat(stateDir).catch(() => undefined);
    if (there === undefined) {
      return warning(`${stateDir} is not there yet`, 'It is made by: sboxagent join, sboxagent run');
    }
    if (!there.isDirectory()) return failed(`${stateDir} is no directory`, 'Move it away, or set state_dir.');
    return [await checkSpace(stateDir), await checkWriting(scene), ...checkModes(there, stateDir)];
  },
};

async function checkSpace(stateDir: string): Promise<Finding> {
  const { ffree, files } = await statfs(stateDir);
  const space = await readSpace(stateDir);
  const [free, total] = [space.freeBytes, space.totalBytes].map((bytes) => Math.floor(bytes / mib));
  const detail = `${stateDir}: ${free} MiB free`;
  if (isFull(space)) return failed(`${detail} of ${total} MiB`, await fixFull(stateDir));
  // File systems that make inodes as they go say 0 of 0.
  if (files > 0 && ffree < Math.min(leastFreeInodes, files / 10)) {
    return failed(`${stateDir}: ${ffree} inodes free`, 'Remove files that nobody needs; see where they are: df -i');
  }
  if (space.freeBytes >= wantedFreeBytes) return ok(detail);
  return space.totalBytes < wantedFreeBytes
    ? warning(
        `the disk is small: ${detail} of ${total} MiB`,
        'Have state_dir on a larger one, if versions are refused.',
      )
    : warning(detail, await fixFull(stateDir));
}

const fixFull = async (stateDir: string): Promise<string> =>
  `What of it the agent can do without: sboxagent rescue. Else: ${await describeFull(stateDir)}.`;

async function checkWriting({ stateDir, clock }: Scene): Promise<Finding> {
  const file = path.join(stateDir, `.doctor-${clock.now()}`);
  try {
    const startedMs = clock.monotonic();
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile('doctor');
      await handle.sync();
    } finally {
      await handle.close();
      await rm(file, { force: true });
    }
    const ms = clock.monotonic() - startedMs;
    const detail = `a write is on the disk after ${printDuration(ms)}`;
    return ms > slowSyncMs
      ? warning(detail, 'The disk is slow or busy; see what writes: iotop, or move state_dir to another disk.')
      : ok(detail);
  } catch (error) {
    return await explainWrite(error as NodeJS.ErrnoException, stateDir);
  }
}

async function explainWrite(error: NodeJS.ErrnoException, stateDir: string): Promise<Finding> {
  const { code = '', message } = error;
  if (code === 'EROFS') {
    return failed('the file system is read-only', `See why (dmesg | tail), then: mount -o remount,rw ${stateDir}`);
  }
  if (code === 'EIO') return failed(message, 'The disk may be broken; see: dmesg | tail');
  if (isDiskProblem(error)) return failed(message, await fixFull(stateDir));
  if (code === 'EACCES' || code === 'EPERM') {
    return warning(message, 'Run the command as root or as the user of the agent.');
  }
  return failed(message, 'See what the detail says.');
}

function checkModes({ mode }: { mode: number }, stateDir: string): Finding[] {
  if ((mode & 0o022) === 0) return [];
  return [failed(`others may write to ${stateDir}: the agent does not start`, `chmod go-w ${stateDir}`)];
}
