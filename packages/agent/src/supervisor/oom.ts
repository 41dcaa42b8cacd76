import path from 'node:path';
import { memoryCgroupOf, readText, type KernelRoots } from './cgroup.ts';

/** `here`: in the cgroup of this process; `somewhere`: on this machine, which is no more than a hint. */
export type OomFinding = 'here' | 'somewhere' | 'no';

export interface OomWatch {
  /** Whether the kernel ended a program for want of memory since this began, or since `forget`. */
  look(): OomFinding;
  /** What happened until now was somebody else's end; the process may be in another cgroup by now. */
  forget(): void;
}

/**
 * Counts what the OOM killer did. Begins while the process lives: afterwards nobody knows its cgroup any more. Sources:
 * memory.events of cgroup v2 (admin-guide/cgroup-v2.rst), memory.oom_control of v1, oom_kill in /proc/vmstat.
 */
export function watchOom(pid: number, roots: KernelRoots): OomWatch {
  const all = (): number | undefined => readCount(path.join(roots.proc, 'vmstat'));
  function begin(): { file: string | undefined; own: number | undefined; all: number | undefined } {
    const cgroup = memoryCgroupOf(String(pid), roots);
    const name = cgroup?.version === 1 ? 'memory.oom_control' : 'memory.events';
    const file = cgroup && path.join(cgroup.root, cgroup.path, name);
    return { file, own: file === undefined ? undefined : readCount(file), all: all() };
  }
  let before = begin();
  return {
    look() {
      const now = before.file === undefined ? undefined : readCount(before.file);
      if (now !== undefined && before.own !== undefined) return now > before.own ? 'here' : 'no';
      return (all() ?? 0) > (before.all ?? Infinity) ? 'somewhere' : 'no';
    },
    forget: () => void (before = begin()),
  };
}

function readCount(file: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(readText(file))?.[1];
  return count === undefined ? undefined : Number(count);
}
