import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { KernelRoots } from '../src/supervisor/cgroup.ts';
import { makeTestDirectory } from './test-directory.ts';

/** What a kernel would tell in `proc` and `cgroup`, written by a test. */
export interface KernelFiles {
  readonly roots: KernelRoots;
  put(file: string, text: string): void;
  remove(file: string): void;
  clear(): void;
}

export function makeKernelFiles(name: string): KernelFiles {
  const base = makeTestDirectory(name);
  return {
    roots: { proc: path.join(base, 'proc'), cgroup: path.join(base, 'cgroup') },
    put(file, text) {
      const full = path.join(base, file);
      mkdirSync(path.dirname(full), { recursive: true });
      writeFileSync(full, text);
    },
    remove: (file) => rmSync(path.join(base, file), { recursive: true }),
    clear: () => rmSync(base, { recursive: true }),
  };
}
