import { expect, test } from '@jest/globals';
import { printNotes, statusNotes } from './status-notes.ts';
import { exampleStatus, type AgentStatus } from './status.ts';

const now = Date.parse('2026-01-01T00:00:00.000Z');

test('a status with nothing to tell has no notes, whatever it left out', () => {
  const calm = ['UplinkDown', 'Frozen', 'Degraded'] as const;
  const conditions = calm.map((type) => ({ type, status: 'false' as const, reason: '', message: '', since: '' }));
  expect(statusNotes({ ...exampleStatus, conditions }, now)).toEqual([]);
});

test('what waits, what is wrong, what was ignored and what a take-over cost', () => {
  const status: AgentStatus = {
    ...exampleStatus,
    confirm: { epoch: 1, generation: 4, until: '2026-01-01T00:01:30.000Z' },
    unsupported: ['units[0].colour'],
    conditions: [
      { type: 'UplinkDown', status: 'true', reason: 'down', message: 'no answer', since: '' },
      { type: 'ManagerReachable', status: 'false', reason: '', message: '', since: '' },
      { type: 'Ready', status: 'true', reason: '', message: 'fine', since: '' },
    ],
    units: [
      {
        name: 'edge',
        state: 'running',
        pid: 7,
        digest: null,
        started_at: null,
        restarts: 0,
        listens: [],
        probe: null,
        message: '',
        reload: {
          unit: 'edge',
          strategy: 'overlap',
          message: 'ended 214 connections; swap would end 0',
          connections: 214,
          will_end: 214,
          refused: [{ strategy: 'swap', why: 'nft is not there' }],
          at: '2026-01-01T00:00:00.000Z',
        },
        draining: [{ pid: 6, connections: null, until: '2026-01-01T00:10:00.000Z' }],
        probes: [
          { id: 'dns', up: false, detail: 'no answer', at: '' },
          { id: 'web', up: true, detail: '204', at: '' },
        ],
      },
    ],
  };
  expect(printNotes(statusNotes(status, now))).toEqual([
    'confirm  1.4 is taken back in 1m30s unless it is confirmed, or the manager is still reached',
    'note     UplinkDown: no answer',
    'note     ManagerReachable',
    'ignored  units[0].colour: this agent does not know it',
    'reload   edge: overlap: ended 214 connections; swap would end 0',
    'reload   edge: no swap: nft is not there',
    'drains   edge: process 6 keeps an unknown number of connections, for 10m at most',
    'probe    edge: dns fails: no answer',
  ]);
});

test('what is held says how to end that', () => {
  const conditions = [{ type: 'Frozen', status: 'true', reason: 'held', message: 'by hand', since: '' }] as const;
  expect(printNotes(statusNotes({ ...exampleStatus, conditions }, 0))).toEqual([
    'held     by hand: new orders wait; to take them again: sboxagent config release',
  ]);
});
