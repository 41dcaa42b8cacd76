import { expect, test } from '@jest/globals';
import { exampleStatus, type AgentStatus } from '@sbox/protocol';
import { isInSync, orderKey, printServer, runsOf, why, type Server } from '../src/commands/server-text.ts';

const now = Date.parse('2026-01-01T00:00:30.000Z');
const server = (status: Partial<AgentStatus> | null): Server => ({
  id: 'srv_1',
  name: 'edge',
  labels: { canary: '', role: 'edge' },
  environment: 'prod',
  state: 'healthy',
  agent_version: '0.1.0',
  engines: [{ kind: 'sing-box', version: '1.14.4', tags: [] }],
  desired: { epoch: 1, generation: 4, config_id: 'cfg_1', version: 4, engine: null, units: [] },
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

const refusal: NonNullable<AgentStatus['nack']> = {
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

test('a server that never spoke', () => {
  const silent = { ...server(null), agent_version: null, engines: [], seen_at: null, desired: null };
  expect(printServer(silent, now)).toBe(
    [
      'server   edge (srv_1), healthy, seen never',
      'in       environment prod',
      'labels   canary role=edge',
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
    'in       environment prod',
    'labels   canary role=edge',
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

test('in a list what runs is told from what is wanted, and a refusal from what is on its way', () => {
  const at = (generation: number) => ({ epoch: 1, generation });
  const runs = (generation: number, source: 'manager' | 'local' = 'manager') => ({
    running: { ...at(generation), source, digest: null },
    committed: at(generation),
  });
  const orders = new Map([[orderKey('srv_1', at(3)), 'main@3']]);
  const nack = { ...refusal, ...at(4) };
  const rows = [
    runs(4),
    runs(3),
    { ...runs(3), nack },
    { ...runs(3), nack: { ...nack, ...at(3) } },
    runs(0, 'local'),
    null,
  ];
  expect(rows.map((status) => [runsOf(server(status), orders), isInSync(server(status))])).toEqual([
    ['1.4', 'yes'],
    ['main@3', 'no'],
    ['main@3', 'refused'],
    ['main@3', 'no'],
    ['a file of its own', 'no'],
    [null, 'no'],
  ]);
  expect(isInSync({ ...server(null), desired: null })).toBeNull();
});

test('in a list a refusal comes first, and how a version was taken is no trouble', () => {
  const nack = refusal;
  expect(why(server({ nack, units: [{ ...unit, reload }] }), now)).toBe('unknown field');
  expect(why(server({ units: [{ ...unit, reload }] }), now)).toBe('');
  expect(why(server({ units: [{ ...unit, message: 'taken over without a trial' }] }), now)).toBe(
    'taken over without a trial',
  );
});
