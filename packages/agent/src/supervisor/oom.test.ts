import { beforeEach, describe, expect, test } from '@jest/globals';
import { makeKernelFiles } from '../../test/kernel-files.ts';
import { describeExit, reasonOf, whyEnded, type ExitFacts } from './exit.ts';
import { watchOom } from './oom.ts';

const { roots, put, remove, clear } = makeKernelFiles('oom');
const events = (count: number): string => `low 0\nhigh 3\nmax 9\noom ${count + 1}\noom_kill ${count}\n`;

beforeEach(() => {
  clear();
  put('proc/vmstat', 'nr_free_pages 12\noom_kill 4\n');
});

describe('what the OOM killer did', () => {
  test('is counted in the cgroup of the process (version 2)', () => {
    put('proc/7/cgroup', '0::/system.slice/sboxagent.service\n');
    put('cgroup/system.slice/sboxagent.service/memory.events', events(1));
    const watch = watchOom(7, roots);
    put('proc/vmstat', 'oom_kill 5\n');
    expect(watch.look()).toBe('no');
    put('cgroup/system.slice/sboxagent.service/memory.events', events(2));
    expect(watch.look()).toBe('here');
    watch.forget();
    expect(watch.look()).toBe('no');
  });

  test('is counted in version 1 where that has the memory', () => {
    put('proc/7/cgroup', '4:memory:/own\n2:cpu,cpuacct:/\n0::/\n');
    put('cgroup/memory/own/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n');
    const watch = watchOom(7, roots);
    put('cgroup/memory/own/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
    expect(watch.look()).toBe('here');
  });

  test('is only a hint where just the whole machine counts, or the cgroup went with its process', () => {
    put('proc/7/cgroup', '0::/scope\n');
    put('cgroup/scope/memory.events', events(0));
    const watch = watchOom(7, roots);
    remove('cgroup/scope');
    expect(watch.look()).toBe('no');
    put('proc/vmstat', 'oom_kill 5\n');
    expect(watch.look()).toBe('somewhere');
  });

  test('is nothing on a kernel that does not count', () => {
    remove('proc/vmstat');
    const watch = watchOom(7, roots);
    put('proc/vmstat', 'oom_kill 5\n');
    expect(watch.look()).toBe('no');
  });
});

const killed: ExitFacts = { code: null, signal: 'SIGKILL', isKilledByUs: false, oom: 'here' };
test.each<[string, Partial<ExitFacts>, string]>([
  ['the kernel, as the cgroup says', {}, 'oom'],
  ['most likely the kernel, as the machine says', { oom: 'somewhere' }, 'oom'],
  ['somebody who sent KILL', { oom: 'no' }, 'signal'],
  ['us, while the kernel was busy too', { isKilledByUs: true }, 'signal'],
  ['TERM', { signal: 'SIGTERM' }, 'signal'],
  ['itself', { code: 1, signal: null }, 'code'],
  ['the kernel, of an adopted one', { signal: null }, 'oom'],
  ['nobody knows, of an adopted one', { signal: null, oom: 'somewhere' }, 'unknown'],
])('ended by %s', (_, facts, reason) => {
  expect(reasonOf({ ...killed, ...facts })).toBe(reason);
});

test('the words say what to do about it', () => {
  const exit = { code: null, signal: 'SIGKILL', uptimeMs: 5, reason: 'oom' } as const;
  expect(describeExit(exit)).toMatch(/out of memory \(OOM\); give/);
  expect(describeExit({ ...exit, reason: 'signal' })).toBe('it was ended by SIGKILL');
  expect(describeExit({ ...exit, signal: null, code: 3, reason: 'code' })).toBe('it ended with code 3');
  expect(describeExit({ ...exit, signal: null, reason: 'unknown' })).toBe('it ended');
});

test.each([
  ['an ERROR from long ago is no reason for a KILL', 'signal', null, 'SIGKILL', 'it was ended by SIGKILL'],
  ['a fault of its own', 'signal', null, 'SIGSEGV', 'it was ended by SIGSEGV; it said before: no'],
  ['an end by itself', 'code', 1, null, 'no'],
  ['an end that nobody saw', 'unknown', null, null, 'it ended; it said before: no'],
] as const)('%s', (_, reason, code, signal, words) => {
  expect(whyEnded({ reason, code, signal, uptimeMs: 5 }, 'no')).toBe(words);
});
