import { createFakeClock } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { budgetDefaults, createBudgets, findHeavy, judgeUsage, type BudgetSettings, type Usage } from './budgets.ts';

const mib = 1024 * 1024;
const engine = { unit: 'edge', pid: 7, rss_bytes: 30 * mib, open_files: 20, file_limit: 1000 };
const usage: Usage = { engines: [engine], agentBytes: 70 * mib, memoryFree: 1000 * mib, diskFree: 1000 * mib };
const settings: BudgetSettings = {
  memory_bytes: 256 * mib,
  engine_memory_bytes: 128 * mib,
  disk_free_bytes: 100 * mib,
};
const judge = (more: Partial<Usage>, before: Parameters<typeof judgeUsage>[2] = []) =>
  judgeUsage({ ...usage, ...more }, settings, before);

describe('what runs short', () => {
  test('is nothing while there is enough, or nobody knows', () => {
    expect(judge({})).toEqual([]);
    const unknown = { ...engine, rss_bytes: null, open_files: null, file_limit: null };
    expect(judge({ engines: [unknown], agentBytes: null, memoryFree: null, diskFree: null })).toEqual([]);
    expect(judgeUsage({ ...usage, engines: [{ ...engine, rss_bytes: 10_000 * mib }] }, budgetDefaults)).toEqual([]);
  });

  test.each<[string, Partial<Usage>, { type: string; reason: string }, RegExp]>([
    [
      'files',
      { engines: [{ ...engine, open_files: 800 }] },
      { type: 'FdPressure', reason: 'files' },
      /800 of 1000.*LimitNOFILE/,
    ],
    [
      'an engine',
      { engines: [{ ...engine, rss_bytes: 129 * mib }] },
      { type: 'MemoryPressure', reason: 'engine' },
      /edge uses 129 MiB.*128 MiB/,
    ],
    [
      'the budget',
      { engines: [engine, { ...engine, unit: 'b', rss_bytes: 120 * mib }, { ...engine, rss_bytes: 60 * mib }] },
      { type: 'MemoryPressure', reason: 'budget' },
      /use 280 MiB.*256 MiB/,
    ],
    ['the machine', { memoryFree: 20 * mib }, { type: 'MemoryPressure', reason: 'machine' }, /only 20 MiB/],
    ['the disk', { diskFree: 99 * mib }, { type: 'DiskPressure', reason: 'disk.low' }, /only 99 MiB.*make room/],
  ])('says so, and what to do: %s', (_, more, row, words) => {
    expect(judge(more)).toEqual([{ ...row, message: expect.stringMatching(words) }]);
  });

  test('does not flicker at the edge', () => {
    const [before] = judge({ engines: [{ ...engine, open_files: 800 }] });
    const little = { engines: [{ ...engine, open_files: 790 }] };
    expect(judge(little)).toEqual([]);
    expect(judge(little, [before ?? { type: 'DiskPressure' }])).toHaveLength(1);
    expect(judge({ engines: [{ ...engine, open_files: 700 }] }, [before ?? { type: 'DiskPressure' }])).toEqual([]);
    expect(judge({ diskFree: 101 * mib }, [{ type: 'DiskPressure' }])).toHaveLength(1);
    expect(judge({ diskFree: 110 * mib }, [{ type: 'DiskPressure' }])).toEqual([]);
  });

  test('the heaviest engine is the one to be started again', () => {
    const heavier = { ...engine, unit: 'b', rss_bytes: 90 * mib };
    expect(findHeavy([engine, heavier], 20 * mib)).toBe(heavier);
    expect(findHeavy([engine], 0)).toBeUndefined();
  });
});

function open(more: Partial<BudgetSettings> = {}) {
  const clock = createFakeClock();
  const world = { rss: 30 * mib, free: 1000 * mib, room: 0, changes: 0 };
  const budgets = createBudgets({
    proc: {
      rssBytes: () => world.rss,
      openFiles: () => 20,
      fileLimit: () => 1000,
      memory: () => ({ availableBytes: 1000 * mib, ownBytes: 70 * mib }),
    },
    diskFree: async () => await Promise.resolve(world.free),
    async makeRoom() {
      world.free += world.room;
      await Promise.resolve();
    },
    engines: () => [{ unit: 'edge', pid: 7 }],
    settings: { ...settings, ...more },
    clock,
    onChange: () => void (world.changes += 1),
  });
  return { clock, world, budgets };
}

describe('the budgets of a server', () => {
  test('are known for each unit, and changes of a number are no news', async () => {
    const { world, budgets } = open();
    await budgets.measure();
    expect(budgets.usageOf('edge')).toMatchObject({ rss_bytes: 30 * mib, open_files: 20 });
    world.rss = 150 * mib;
    await budgets.measure();
    expect(budgets.pressures).toMatchObject([{ type: 'MemoryPressure', message: expect.stringContaining('150 MiB') }]);
    world.rss = 151 * mib;
    await budgets.measure();
    expect(world.changes).toBe(1);
    world.rss = 30 * mib;
    await budgets.measure();
    expect([budgets.pressures, world.changes]).toEqual([[], 2]);
  });

  test('room is made on the disk before anybody is told', async () => {
    const { world, budgets } = open();
    Object.assign(world, { free: 50 * mib, room: 100 * mib });
    await budgets.measure();
    expect(budgets.pressures).toEqual([]);
    Object.assign(world, { free: 50 * mib, room: 1 });
    await budgets.measure();
    expect(budgets.pressures).toMatchObject([{ type: 'DiskPressure' }]);
  });

  test('an engine that is too heavy is started again once an hour, and the words say when', async () => {
    const { clock, world, budgets } = open();
    world.rss = 150 * mib;
    await budgets.measure();
    expect(budgets.takeHeavy(() => false)).toBeUndefined();
    expect(budgets.takeHeavy(() => true)).toMatchObject({ unit: 'edge', pid: 7 });
    expect(budgets.takeHeavy(() => true)).toBeUndefined();
    world.rss = 30 * mib;
    await budgets.measure();
    world.rss = 150 * mib;
    await budgets.measure();
    expect(budgets.pressures[0]?.message).toContain('started again for that at 2026-01-01T00:00:00.000Z');
    expect(budgets.takeHeavy(() => true)).toBeUndefined();
    await clock.advance(3_600_000);
    expect(budgets.takeHeavy(() => true)).toMatchObject({ unit: 'edge' });
    expect(open({ engine_memory_bytes: 0 }).budgets.takeHeavy(() => true)).toBeUndefined();
  });
});
