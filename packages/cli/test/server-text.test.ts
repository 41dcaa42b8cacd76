import { expect, test } from '@jest/globals';
import { exampleStatus, type AgentStatus } from '@sbox/protocol';
import { printServer, why, type Server } from '../src/commands/server-text.ts';

const now = Date.parse('2026-01-01T00:00:30.000Z');
const server = (status: Partial<AgentStatus> | null): Server => ({
  id: 'srv_1',
  name: 'edge',
  state: 'healthy',
  agent_version: '0.1.0',
  engines: [{ kind: 'sing-box', version: '1.14.4', tags: [] }],
  desired: { epoch: 1, generation: 4, config_id: 'cfg_1', version: 4, engine: null },
  status: status && { ...exampleStatus, ...status },
  seen_at: '2026-01-01T00:00:00.000Z',
  offline: false,
  revision: 1,
  created_at: '2026-01-01T00:00:00.000Z',
});
const unit: AgentStatus['units'][number] = {
  name: 'main',
  state: 'running',
  pid: 7,
  digest: null,
  started_at: null,
  restarts: 0,
  listens: [{ tag: 'in', address: '127.0.0.1:1080' }],
  probe: null,
  message: '',
};
const reload = {
  unit: 'main',
  strategy: 'overlap' as const,
  message: 'ended 214 connections; swap would have ended 0',
  connections: 214,
  will_end: 214,
  refused: [{ strategy: 'swap' as const, why: 'nft is not installed' }],
  at: '2026-01-01T00:00:00.000Z',
};

test('a server that never spoke', () => {
  const silent = { ...server(null), agent_version: null, engines: [], seen_at: null, desired: null };
  expect(printServer(silent, now)).toBe(
    [
      'server   edge (srv_1), healthy, seen never',
      'agent    never joined',
      'desired  nothing',
      'runs     nothing',
    ].join('\n'),
  );
  expect(why(silent, now)).toBe('');
});

test('how it took what it runs, what it waits for and what it does not know', () => {
  const found = server({
    running: { epoch: 1, generation: 4, source: 'manager', digest: null },
    confirm: { epoch: 1, generation: 4, until: '2026-01-01T00:02:00.000Z' },
    unsupported: ['units[0].colour'],
    conditions: [{ type: 'UplinkDown', status: 'true', reason: 'down', message: 'no answer', since: '' }],
    units: [{ ...unit, reload }],
  });
  expect(printServer(found, now).split('\n')).toEqual([
    'server   edge (srv_1), healthy, seen 30s ago',
    'agent    0.1.0, sing-box 1.14.4',
    'desired  1.4',
    'runs     1.4 from manager',
    'confirm  1.4 is taken back in 1m30s unless it is confirmed',
    'note     UplinkDown: no answer',
    'ignored  units[0].colour: this agent does not know it',
    'reload   main: overlap: ended 214 connections; swap would have ended 0',
    'reload   main: no swap: nft is not installed',
    'unit     main: running, 127.0.0.1:1080',
  ]);
  expect(why(found, now)).toBe('1.4 is taken back in 1m30s unless it is confirmed');
});

test('in a list a refusal comes first, and how a version was taken is no trouble', () => {
  const nack: NonNullable<AgentStatus['nack']> = {
    epoch: 1,
    generation: 4,
    digest: null,
    stage: 'validate',
    code: 'engine.check-failed',
    unit: null,
    message: 'unknown field',
    sticky: true,
    at: '',
    retry_at: null,
  };
  expect(why(server({ nack, units: [{ ...unit, reload }] }), now)).toBe('unknown field');
  expect(why(server({ units: [{ ...unit, reload }] }), now)).toBe('');
  expect(why(server({ units: [{ ...unit, message: 'taken over without a trial' }] }), now)).toBe(
    'taken over without a trial',
  );
});
