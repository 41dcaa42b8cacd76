import { expect, test } from '@jest/globals';
import { createClient, localRoutes, type UnitStatus } from '@sbox/protocol';
import { openBench } from '../../test/agent-bench.ts';
import { plainUnitStatus } from '../../test/plain-status.ts';
import { socketTransport } from '../cli/local-client.ts';

const unit: UnitStatus = {
  ...plainUnitStatus,
  open_files: 42,
  probes: [{ id: 'dns', up: false, detail: '', at: '' }],
  draining: [
    { pid: 5, connections: 3, until: '2026-01-01T00:10:00.000Z' },
    { pid: 6, connections: null, until: '2026-01-01T00:10:00.000Z' },
  ],
};
const reload = (strategy: 'swap' | 'overlap', will_end: number, at: string): UnitStatus['reload'] => ({
  unit: 'edge',
  strategy,
  message: '',
  connections: 214,
  will_end,
  refused: [],
  at,
});

test('metrics tell of take-overs, of what drains, of conditions and of a version that has to be confirmed', async () => {
  await using bench = await openBench();
  await using agent = await bench.start();
  const take = (more: Partial<UnitStatus>): void => agent.fake.set({ units: [{ ...unit, ...more }] });
  // What is older than the agent was told by another one.
  take({ reload: reload('swap', 0, '2099-01-01T00:00:01.000Z') });
  take({ reload: reload('overlap', 214, '2099-01-01T00:00:02.000Z') });
  take({ reload: reload('overlap', 6, '2099-01-01T00:00:03.000Z') });
  agent.fake.set({
    uplink_down: 'no answer',
    confirm: { epoch: 1, generation: 4, until: '2026-01-01T00:02:00.000Z' },
  });
  const { bytes } = await createClient(localRoutes, socketTransport(agent.socketFile)).metrics();
  const lines = new Set(
    Buffer.from(bytes ?? [])
      .toString('utf8')
      .split('\n'),
  );
  expect([...lines]).toEqual(
    expect.arrayContaining([
      'sboxagent_reloads_total{strategy="swap"} 1',
      'sboxagent_reloads_total{strategy="overlap"} 2',
      'sboxagent_reload_connections_ended_total{strategy="overlap"} 220',
      'sboxagent_draining_engines{unit="edge"} 2',
      'sboxagent_draining_connections{unit="edge"} 3',
      'sboxagent_unit_probe_up{unit="edge",probe="dns"} 0',
      'sboxagent_engine_open_files{unit="edge"} 42',
      'sboxagent_condition{type="UplinkDown"} 1',
      'sboxagent_confirm_pending 1',
      'sboxagent_events_total{type="uplink.down"} 1',
    ]),
  );
});
