import { open, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { printDuration } from '@sbox/core';
import { isDiskProblem } from '../state/disk.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import type { Scene } from './scene.ts';

const mib = 1024 * 1024;
const [leastFreeBytes, wantedFreeBytes, leastFreeInodes] = [32 * mib, 200 * mib, 1000];
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
  const { bavail, bsize, ffree, files } = await statfs(stateDir);
  const free = bavail * bsize;
  const detail = `${stateDir}: ${Math.floor(free / mib)} MiB free`;
  const fix = 'Make room; the agent can give back what it does not need: sboxagent rescue --yes';
  if (free < leastFreeBytes) return failed(detail, fix);
  // File systems that make inodes as they go say 0 of 0.
  if (files > 0 && ffree < leastFreeInodes) return failed(`${stateDir}: ${ffree} inodes free`, fix);
  return free < wantedFreeBytes ? warning(detail, fix) : ok(detail);
}

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
    return explainWrite(error as NodeJS.ErrnoException, stateDir);
  }
}

function explainWrite(error: NodeJS.ErrnoException, stateDir: string): Finding {
  const { code = '', message } = error;
  if (code === 'EROFS') {
    return failed('the file system is read-only', `See why (dmesg | tail), then: mount -o remount,rw ${stateDir}`);
  }
  if (isDiskProblem(error)) return failed(message, 'Make room: sboxagent rescue --yes; then see: df -h, df -i, dmesg');
  if (code === 'EACCES' || code === 'EPERM') {
    return warning(message, 'Run the command as root or as the user of the agent.');
  }
  return failed(message, 'See what the detail says.');
}

function checkModes({ mode }: { mode: number }, stateDir: string): Finding[] {
  if ((mode & 0o022) === 0) return [];
  return [failed(`others may write to ${stateDir}: the agent does not start`, `chmod go-w ${stateDir}`)];
}
