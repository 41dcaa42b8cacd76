import { mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface FoundProcess {
  pid: number;
  command: string;
}

/**
 * Processes whose command line or working directory lies below `directory`. So those are found too that outlive their
 * parent on purpose, as engines do. Reads /proc, so Linux only.
 */
export function processesUnder(directory: string): FoundProcess[] {
  const found: FoundProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const cwd = readlinkSync(`/proc/${entry}/cwd`);
      if (command.includes(directory) || `${cwd}/`.startsWith(`${directory}/`))
        found.push({ pid: Number(entry), command });
    } catch {
      // It ended while we looked, or belongs to someone else.
    }
  }
  return found;
}

/**
 * Kills them until none is left, for at most two seconds: a supervisor may start the next one between look and kill.
 * Returns what is left then.
 */
export async function killProcessesUnder(directory: string): Promise<FoundProcess[]> {
  for (let round = 0; round < 200; round += 1) {
    const found = processesUnder(directory);
    if (found.length === 0) return [];
    for (const { pid } of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    }
    // The kernel tells nobody but the parent when a process is gone.
    await setTimeout(10);
  }
  return processesUnder(directory);
}

export interface TestDirectory extends AsyncDisposable {
  readonly path: string;
  /** Absolute path of a file below. */
  file(...parts: string[]): string;
}

const openDirectories = new Set<string>();

async function close(directory: string): Promise<void> {
  await killProcessesUnder(directory);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  openDirectories.delete(directory);
}

/** What dispose would have done, for a program that is told to end in the middle of its work. */
export async function closeTestDirectories(): Promise<void> {
  await Promise.allSettled([...openDirectories].map(close));
}

/** A new directory; dispose first ends every process that runs below it, then removes it. */
export function openTestDirectory(name: string): TestDirectory {
  const parent = process.env['SBOX_TEST_DIR'] ?? tmpdir();
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(path.join(parent, `sbox-${name}-`));
  openDirectories.add(directory);
  return {
    path: directory,
    file: (...parts) => path.join(directory, ...parts),
    [Symbol.asyncDispose]: async () => await close(directory),
  };
}
