import { expect, test } from '@jest/globals';
import { findProcessesWith } from './find-processes.ts';
import type { Proc } from './proc.ts';

const programs: Readonly<Record<number, { owner: number; args: string[] }>> = {
  10: { owner: 990, args: ['sing-box', 'run', '-c', '/state/slots/edge/current/config.json'] },
  11: { owner: 1000, args: ['pretender', 'run', '-c', '/state/slots/edge/current/config.json'] },
  12: { owner: 990, args: ['vi', '/state/slots/edge/current/config.json'] },
  13: { owner: 990, args: ['sing-box', 'run', '-c', '/state/slots/edge2/current/config.json'] },
};

const proc: Pick<Proc, 'pids' | 'argumentsOf' | 'ownerOf' | 'ownUser' | 'identify'> = {
  pids: () => Object.keys(programs).map(Number),
  argumentsOf: (pid) => programs[pid]?.args ?? [],
  ownerOf: (pid) => programs[pid]?.owner,
  ownUser: () => 990,
  identify: (pid) => ({ pid, starttime: '1', boot_id: 'b', exe: '' }),
};

test('an engine of ours is one that our own user runs with a file of ours', () => {
  expect(findProcessesWith(proc, '/state/slots/edge').map(({ pid }) => pid)).toEqual([10]);
});
