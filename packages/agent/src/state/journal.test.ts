import fc from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { createDisk, type Disk } from './disk.ts';
import { openJournal, parseJournal, printLine, type JournalRecord, type JournalStep } from './journal.ts';
import { compact, historyOf, replay } from './journal-replay.ts';

const record = (step: JournalStep, generation: number, more: Partial<JournalRecord> = {}): JournalRecord => ({
  step,
  epoch: 1,
  generation,
  source: 'manager',
  at: '2026-01-01T00:00:00.000Z',
  code: null,
  message: null,
  units: [
    {
      name: 'edge',
      digest: `d${generation}`,
      overlay: null,
      slot: `1.${generation}-1`,
      config_id: null,
      version: null,
    },
  ],
  ...more,
});

const step = fc.constantFrom<JournalStep>(
  ...(['INTENT', 'STAGED', 'SWITCHED', 'BOOT', 'SERVING', 'HEALTHY', 'ROLLEDBACK', 'REFUSED'] as const),
);
const records = fc.array(
  fc.tuple(step, fc.integer({ min: 1, max: 5 })).map(([name, generation]) => record(name, generation)),
  { maxLength: 60 },
);

/** A file in memory whose appends may be cut. */
function memoryDisk(start = ''): Disk & { text: string; cut: number | undefined } {
  const disk = {
    ...createDisk(),
    text: start,
    cut: undefined as number | undefined,
    read: async () => await Promise.resolve(Buffer.from(disk.text)),
    write: async (_: string, content: string | Uint8Array) => {
      disk.text = String(content);
      await Promise.resolve();
    },
    append: async (_: string, text: string) => {
      disk.text += text.slice(0, disk.cut);
      if (disk.cut !== undefined) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      await Promise.resolve();
    },
  };
  return disk;
}

const open = async (disk: Disk, maxRecords = 1000) => await openJournal({ disk, stateDir: '/x', compact, maxRecords });

describe('the file', () => {
  test('cut at any byte, it gives the records whose lines are whole', () => {
    fc.assert(
      fc.property(records, fc.nat(), (all, at) => {
        const lines = all.map(printLine);
        const text = lines.join('').slice(0, at);
        const { records: read } = parseJournal(text);
        expect(read).toEqual(all.slice(0, read.length));
        expect(Buffer.byteLength(lines.slice(0, read.length).join(''))).toBeLessThanOrEqual(text.length);
      }),
    );
  });

  test('a changed byte is never taken for a record', () => {
    const text = printLine(record('HEALTHY', 1));
    fc.assert(
      fc.property(fc.nat({ max: text.length - 2 }), (at) => {
        const changed = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
        expect(parseJournal(changed)).toEqual({ records: [], isTorn: true });
      }),
    );
  });

  test('an append after a torn one is not lost', async () => {
    const disk = memoryDisk(`${printLine(record('INTENT', 1))}12345678 {"st`);
    const journal = await open(disk);
    await journal.append(record('STAGED', 1));
    disk.cut = 20;
    await expect(journal.append(record('SWITCHED', 1))).rejects.toThrow('ENOSPC');
    disk.cut = undefined;
    await journal.append(record('REFUSED', 1));
    expect((await open(disk)).records.map(({ step: name }) => name)).toEqual(['INTENT', 'STAGED', 'REFUSED']);
  });

  test('it is rewritten when it is long', async () => {
    const disk = memoryDisk();
    const journal = await open(disk, 150);
    for (let generation = 1; generation <= 200; generation += 1) await journal.append(record('HEALTHY', generation));
    expect(journal.records.length).toBeLessThanOrEqual(150);
    expect((await open(disk)).records).toEqual(journal.records);
    expect(replay(journal.records).committed.map(({ version }) => version.generation)).toEqual([198, 199, 200]);
  });
});

test('it stays short also while something is half done for weeks', async () => {
  const disk = memoryDisk();
  const journal = await open(disk, 150);
  await journal.append(record('HEALTHY', 1));
  await journal.append(record('SWITCHED', 2));
  await journal.append(record('SERVING', 2));
  for (let count = 0; count < 200; count += 1) {
    await journal.append(record('INTENT', 3));
    await journal.append(record('REFUSED', 3));
  }
  expect(journal.records.length).toBeLessThanOrEqual(150);
  expect(replay(journal.records)).toMatchObject({
    committed: [{ version: { generation: 1 } }],
    candidates: [{ version: { generation: 2 }, isServing: true, isOpen: true }],
  });
});

describe('what it says', () => {
  const generations = (all: readonly JournalRecord[]) => {
    const { committed, candidates } = replay(all);
    return {
      committed: committed.map(({ version }) => version.generation),
      candidates: candidates.map(({ version, isServing, boots }) => [version.generation, isServing, boots]),
    };
  };

  test.each<[string, [JournalStep, number][], number[], (number | boolean)[][]]>([
    [
      'a committed version',
      [
        ['SWITCHED', 1],
        ['SERVING', 1],
        ['HEALTHY', 1],
      ],
      [1],
      [],
    ],
    [
      'one that serves',
      [
        ['HEALTHY', 1],
        ['SWITCHED', 2],
        ['SERVING', 2],
      ],
      [1],
      [[2, true, 0]],
    ],
    [
      'one that was taken back',
      [
        ['HEALTHY', 1],
        ['SWITCHED', 2],
        ['ROLLEDBACK', 2],
      ],
      [1],
      [],
    ],
    [
      'a committed one that was taken back',
      [
        ['HEALTHY', 1],
        ['HEALTHY', 2],
        ['ROLLEDBACK', 2],
      ],
      [1],
      [],
    ],
    [
      'one the engine refused while another is watched',
      [
        ['SWITCHED', 1],
        ['SERVING', 1],
        ['SWITCHED', 2],
        ['REFUSED', 2],
      ],
      [],
      [[1, true, 0]],
    ],
    [
      'one that was down at two starts',
      [
        ['SWITCHED', 1],
        ['BOOT', 1],
        ['SWITCHED', 1],
        ['BOOT', 1],
      ],
      [],
      [[1, false, 2]],
    ],
    [
      'four committed ones',
      [
        ['HEALTHY', 1],
        ['HEALTHY', 2],
        ['HEALTHY', 3],
        ['HEALTHY', 4],
      ],
      [2, 3, 4],
      [],
    ],
  ])('%s', (_, steps, committed, candidates) => {
    expect(generations(steps.map(([name, generation]) => record(name, generation)))).toEqual({ committed, candidates });
  });

  test('the same slots under a new generation are one version', () => {
    const { units } = record('HEALTHY', 1);
    expect(generations([record('HEALTHY', 1), record('HEALTHY', 9, { units })]).committed).toEqual([9]);
  });

  test('compacted, it says the same about now', () => {
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 20 }), (all, latest) => {
        expect(replay(compact(all, latest))).toEqual(replay(all));
      }),
      { numRuns: 1000 },
    );
  });

  test('history has one entry for each version, with its last state', () => {
    const all = [
      record('INTENT', 1),
      record('HEALTHY', 1),
      record('INTENT', 2),
      record('ROLLEDBACK', 2, { code: 'apply.failed' }),
    ];
    expect(historyOf(all)).toMatchObject([
      { generation: 1, state: 'committed' },
      { generation: 2, state: 'rolled-back', code: 'apply.failed' },
    ]);
  });
});
