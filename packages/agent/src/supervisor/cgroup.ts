import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Where the kernel's views begin; tests give directories of their own. */
export interface KernelRoots {
  readonly proc: string;
  readonly cgroup: string;
}

/** The cgroup that counts the memory of a process. */
export interface MemoryCgroup {
  /** Where version 1 or 2 begins, and the path below it. */
  readonly root: string;
  readonly path: string;
  readonly version: 1 | 2;
}

/** cgroups(7): `0::/path` is version 2, `5:memory:/path` version 1. A machine with both counts memory in version 1. */
export function memoryCgroupOf(process: string, roots: KernelRoots): MemoryCgroup | undefined {
  const lines = readText(path.join(roots.proc, process, 'cgroup'))
    .split('\n')
    .map((line) => /^(\d+):([^:]*):(\/.*)$/.exec(line));
  const v1 = lines.find((parts) => parts?.[2]?.split(',').includes('memory'))?.[3];
  if (v1 !== undefined) return { root: path.join(roots.cgroup, 'memory'), path: v1, version: 1 };
  const v2 = lines.find((parts) => parts?.[1] === '0' && parts[2] === '')?.[3];
  return v2 === undefined ? undefined : { root: roots.cgroup, path: v2, version: 2 };
}

/** Admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. */
const files = {
  1: { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', reclaimable: 'total_inactive_file' },
  2: { limit: 'memory.max', used: 'memory.current', reclaimable: 'inactive_file' },
} as const;

/**
 * Bytes that programs may still take before something has to go: of the machine, or of the tightest cgroup around this
 * process. Null where the kernel does not say.
 */
export function memoryAvailable(roots: KernelRoots): number | null {
  const kilobytes = numberAfter(readText(path.join(roots.proc, 'meminfo')), 'MemAvailable:');
  const own = memoryCgroupOf('self', roots);
  const rooms = own === undefined ? [] : roomsAround(own);
  const all = kilobytes === undefined ? rooms : [kilobytes * 1024, ...rooms];
  return all.length === 0 ? null : Math.max(0, Math.min(...all));
}

/** Each cgroup above limits those below it. */
function roomsAround({ root, path: own, version }: MemoryCgroup): number[] {
  const names = files[version];
  const parts = own.split('/').filter(Boolean);
  return [...parts.keys(), parts.length].flatMap((depth) => {
    const directory = path.join(root, ...parts.slice(0, depth));
    const [limit, used] = [names.limit, names.used].map((name) => readText(path.join(directory, name)).trim());
    // `max`, and in version 1 a number beyond all memory, is no limit.
    if (limit === undefined || used === undefined || !/^\d+$/.test(limit) || !/^\d+$/.test(used)) return [];
    const reclaimable = numberAfter(readText(path.join(directory, 'memory.stat')), names.reclaimable) ?? 0;
    return [Number(limit) - Number(used) + reclaimable];
  });
}

const numberAfter = (text: string, name: string): number | undefined => {
  const found = text.split('\n').find((line) => line.startsWith(`${name} `));
  return found === undefined ? undefined : Number.parseInt(found.slice(name.length).trim(), 10);
};

/** Empty when there is none: not every kernel has every file, and a cgroup may go together with its last process. */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
