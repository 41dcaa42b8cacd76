import { readFileSync } from 'node:fs';

/** What the kernel says can be had without pushing others out (proc_meminfo(5)); undefined where it does not say. */
export function readAvailableBytes(file = '/proc/meminfo'): number | undefined {
  try {
    const [, kib] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync(file, 'utf8')) ?? [];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
