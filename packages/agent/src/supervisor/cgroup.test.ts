import { beforeEach, expect, test } from '@jest/globals';
import { makeKernelFiles } from '../../test/kernel-files.ts';
import { memoryAvailable } from './cgroup.ts';
import { createProc } from './proc.ts';

const { roots, put, remove, clear } = makeKernelFiles('cgroup');
beforeEach(() => {
  clear();
  put('proc/meminfo', 'MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:   1000 kB\n');
});

test('without a cgroup, what the machine has', () => {
  expect(memoryAvailable(roots)).toBe(1_024_000);
  remove('proc');
  expect(memoryAvailable(roots)).toBeNull();
});

test('the tightest cgroup around this process, less what can be dropped at once', () => {
  put('proc/self/cgroup', '0::/system.slice/sboxagent.service\n');
  put('cgroup/system.slice/memory.max', '500000\n');
  put('cgroup/system.slice/memory.current', '450000\n');
  put('cgroup/system.slice/memory.stat', 'anon 400000\ninactive_file 20000\nactive_file 5\n');
  put('cgroup/system.slice/sboxagent.service/memory.max', 'max\n');
  put('cgroup/system.slice/sboxagent.service/memory.current', '440000\n');
  expect(memoryAvailable(roots)).toBe(70_000);
  put('cgroup/system.slice/memory.current', '600000\n');
  expect(memoryAvailable(roots)).toBe(0);
});

test('version 1, where no limit is a number beyond all memory', () => {
  put('proc/self/cgroup', '4:memory:/own\n0::/\n');
  put('cgroup/memory/own/memory.limit_in_bytes', '9223372036854771712\n');
  put('cgroup/memory/own/memory.usage_in_bytes', '1000\n');
  expect(memoryAvailable(roots)).toBe(1_024_000);
  put('cgroup/memory/own/memory.limit_in_bytes', '3000\n');
  expect(memoryAvailable(roots)).toBe(2000);
});

test('this machine', () => {
  const { availableBytes, ownBytes } = createProc().memory();
  expect(availableBytes).toBeGreaterThan(0);
  expect(ownBytes).toBeGreaterThan(1_000_000);
});
