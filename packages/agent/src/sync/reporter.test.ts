import { expect, test } from '@jest/globals';
import { createFakeClock, ProblemError } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { exampleStatus, type AgentStatus } from '@sbox/protocol';
import { createReporter } from './reporter.ts';

const base: AgentStatus = { ...exampleStatus, seq: 0, engines: [] };

function report() {
  const clock = createFakeClock();
  const stop = new AbortController();
  const sent: { atMs: number; status: AgentStatus }[] = [];
  const newer: unknown[] = [];
  const world = { status: base, isAway: false, desired: null as { epoch: number; generation: number } | null };
  const reporter = createReporter({
    client: {
      status: async ({ body }) => {
        sent.push({ atMs: clock.monotonic(), status: body });
        if (world.isAway) throw new ProblemError('manager.unreachable', 'gone');
        return await Promise.resolve({
          ack_seq: body.seq,
          server_time: '2026-01-01T00:00:00Z',
          desired: world.desired,
        });
      },
    },
    status: () => world.status,
    heartbeatMs: () => 30_000,
    debounceMs: 1000,
    retry: { baseMs: 1000, capMs: 60_000 },
    onNewer: (desired) => newer.push(desired),
    isReachable: () => !world.isAway,
    onServerTime: () => {},
    clock,
    random: () => 0.5,
    log: silentLogger,
  });
  const running = reporter.run(stop.signal);
  const change = async (status: Partial<AgentStatus>, afterMs = 0): Promise<void> => {
    await clock.advance(afterMs);
    world.status = { ...world.status, ...status };
    reporter.changed();
    await clock.advance(0);
  };
  return {
    clock,
    sent,
    newer,
    world,
    change,
    async stop() {
      stop.abort(new Error('done'));
      await running;
    },
  };
}

test('a verdict goes out at once, other news together after a moment, nothing new only with the heartbeat', async () => {
  const run = report();
  await run.clock.untilSleeping();
  expect(run.sent).toHaveLength(1);
  await run.change({ engines: [{ kind: 'sing-box', version: '1', tags: [] }] }, 100);
  await run.change({ engines: [{ kind: 'sing-box', version: '2', tags: [] }] }, 500);
  expect(run.sent).toHaveLength(1);
  await run.clock.advance(500);
  expect(run.sent.map(({ atMs }) => atMs)).toEqual([0, 1100]);
  expect(run.sent[1]?.status.engines[0]?.version).toBe('2');
  await run.change({ phase: 'serving' }, 100);
  expect(run.sent.at(-1)?.atMs).toBe(1200);
  await run.change({ sent_at: 'later' }, 100);
  await run.clock.advance(29_000);
  expect(run.sent).toHaveLength(3);
  await run.clock.advance(2000);
  expect(run.sent).toHaveLength(4);
  expect(run.sent.map(({ status: { seq } }) => seq)).toEqual([1, 2, 3, 4]);
  await run.stop();
});

test('a verdict that comes while other news wait does not wait with them', async () => {
  const run = report();
  await run.clock.untilSleeping();
  await run.change({ engines: [{ kind: 'sing-box', version: '1', tags: [] }] }, 100);
  await run.change({ phase: 'degraded' }, 200);
  expect(run.sent.map(({ atMs }) => atMs)).toEqual([0, 300]);
  await run.stop();
});

test('while the manager is away it waits longer and longer; when it is back the newest status goes out', async () => {
  const run = report();
  run.world.isAway = true;
  await run.clock.untilSleeping();
  await run.change({ phase: 'serving' }, 10);
  await run.clock.advance(40_000);
  const away = run.sent.length;
  expect(away).toBeLessThan(9);
  run.world.isAway = false;
  await run.change({ phase: 'committed' }, 1);
  expect(run.sent.at(-1)?.status.phase).toBe('committed');
  await run.stop();
});

test('a manager that has something newer than was seen is asked for it', async () => {
  const run = report();
  run.world.desired = { epoch: 1, generation: 3 };
  await run.clock.untilSleeping();
  await run.change({ phase: 'serving' });
  expect(run.newer).toContainEqual({ epoch: 1, generation: 3 });
  await run.stop();
});
