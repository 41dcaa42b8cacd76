// What a process uses, from /proc; so Linux only.
import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly rss_mb: number;
  /** Its own memory, without the pages of files that the kernel can drop and read again. */
  readonly anon_mb: number;
  /** Processor time since its start, all threads. */
  readonly cpu_ms: number;
}

/** Of one tick in /proc/PID/stat: Linux shows 100 a second to programs, whatever the kernel counts in. */
const tickMs = 10;

/** @throws when there is no such process */
export function readProcessUsage(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Number(new RegExp(String.raw`^${name}:\s+(\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  // The name in the second field may hold spaces and parentheses; proc_pid_stat(5).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
  return { rss_mb: megabytes('VmRSS'), anon_mb: megabytes('RssAnon'), cpu_ms: (user + system) * tickMs };
}
