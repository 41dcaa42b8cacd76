import { describe, expect, test } from '@jest/globals';
import { exampleStatus, type AgentStatus, type UnitStatus } from '@sbox/protocol';
import { plainUnitStatus } from '../../test/plain-status.ts';
import { describeEvents } from './describe-events.ts';

const status = (change: Partial<AgentStatus>): AgentStatus => ({ ...exampleStatus, ...change });
const units = (change: Partial<UnitStatus>): Partial<AgentStatus> => ({ units: [{ ...plainUnitStatus, ...change }] });
const condition = (type: AgentStatus['conditions'][number]['type'], is: 'true' | 'false'): Partial<AgentStatus> => ({
  conditions: [{ type, status: is, reason: '', message: 'why', since: '' }],
});
const running = { epoch: 1, generation: 4, source: 'manager', digest: null } as const;
const confirm = { epoch: 1, generation: 4, until: '2026-01-01T00:02:00.000Z' };
const reload: NonNullable<UnitStatus['reload']> = {
  unit: 'edge',
  strategy: 'swap',
  message: 'ends 0 connections',
  connections: 214,
  will_end: 0,
  refused: [],
  at: '2026-01-01T00:00:00.000Z',
};
const draining = [{ pid: 6, connections: 214, until: '2026-01-01T00:10:00.000Z' }];

describe('what happened between two statuses', () => {
  test.each<[string, Partial<AgentStatus>, Partial<AgentStatus>, string[]]>([
    ['nothing', {}, {}, []],
    ['the same again', units({ reload, draining }), units({ reload, draining }), []],
    ['a version serves', {}, { running }, ['server.serving']],
    ['a version is held back', condition('Frozen', 'false'), condition('Frozen', 'true'), ['server.held']],
    ['it is free again', condition('Frozen', 'true'), condition('Frozen', 'false'), ['server.released']],
    ['the line goes', {}, condition('UplinkDown', 'true'), ['uplink.down']],
    ['the line comes', condition('UplinkDown', 'true'), {}, ['uplink.up']],
    ['memory is short', {}, condition('MemoryPressure', 'true'), ['memory.short']],
    ['a confirmation is waited for', { running }, { running, confirm }, ['confirm.pending']],
    ['it was confirmed', { running, confirm }, { running, confirm: null }, ['confirm.done']],
    [
      'it was not',
      { running, confirm },
      { running: { ...running, generation: 3 }, confirm: null },
      ['server.serving', 'confirm.reverted'],
    ],
    ['a take-over', units({}), units({ reload, draining }), ['reload.done', 'reload.draining']],
    ['the last connection ended', units({ reload, draining }), units({ reload, draining: [] }), ['reload.drained']],
    ['what an earlier agent did', { units: [], sent_at: '2026-01-01T00:00:05.000Z' }, units({ reload, draining }), []],
    [
      'the first start',
      { units: [] },
      units({ reload: { ...reload, at: '2099-01-01T00:00:00.000Z' } }),
      ['reload.done'],
    ],
    ['one that drained serves again', units({ pid: 7, draining }), units({ pid: 6, draining: [] }), []],
    ['an engine ended', units({}), units({ restarts: 1, message: 'it ended with code 1' }), ['engine.ended']],
    ['for want of memory', units({}), units({ restarts: 1, message: 'for want of memory (OOM)' }), ['engine.oom']],
    [
      'again and again',
      units({ restarts: 4 }),
      units({ restarts: 5, state: 'crash-loop' }),
      ['engine.ended', 'engine.crash-loop'],
    ],
    ['a probe is up at once', units({}), units({ probes: [{ id: 'dns', up: true, detail: '', at: '' }] }), []],
    ['a probe fails', units({}), units({ probes: [{ id: 'dns', up: false, detail: '', at: '' }] }), ['probe.down']],
    [
      'a probe is back',
      units({ probes: [{ id: 'dns', up: false, detail: '', at: '' }] }),
      units({ probes: [{ id: 'dns', up: true, detail: '', at: '' }] }),
      ['probe.up'],
    ],
  ])('%s', (_what, before, now, types) => {
    expect(describeEvents(status(before), status(now)).map(({ type }) => type)).toEqual(types);
  });

  test('a refusal names the code and the reason', () => {
    const nack = {
      epoch: 1,
      generation: 4,
      digest: null,
      stage: 'trial' as const,
      code: 'trial.probe-failed',
      unit: null,
      message: 'no',
      sticky: false,
      at: '',
      retry_at: null,
    };
    expect(describeEvents(status({}), status({ nack }))).toEqual([
      { type: 'server.refused', data: { epoch: 1, generation: 4, code: 'trial.probe-failed', detail: 'no' } },
    ]);
  });
});
