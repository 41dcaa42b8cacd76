import { describe, expect, test } from '@jest/globals';
import { createDisk } from '../src/state/disk.ts';
import { CrashDisk, type PowerLoss } from './crash-disk.ts';
import { createPrng } from './prng.ts';

const open = () => {
  const model = new CrashDisk();
  const files = model.files(() => undefined);
  return { model, files, disk: createDisk(files) };
};

const lose = (model: CrashDisk, loss: PowerLoss): void => model.crash(loss, createPrng(1));

describe('a loss of power', () => {
  test('leaves what the disk of the agent wrote, linked and appended', async () => {
    const { model, disk } = open();
    await disk.makeDirectory('/state/a/b');
    await disk.write('/state/a/b/file', 'one');
    await disk.append('/state/log', 'line\n');
    await disk.link('file', '/state/a/b/link');
    lose(model, 'dropped');
    expect(String(model.peek('/state/a/b/link'))).toBe('one');
    expect(String(model.peek('/state/log'))).toBe('line\n');
  });

  test('takes what was not synced: the data of a file, and the name of another', async () => {
    const { model, files } = open();
    await files.mkdir('/state', { recursive: true, mode: 0o700 });
    const handle = await files.open('/state/file', 0o101, 0o600);
    await handle.writeFile('whole');
    lose(model, 'dropped');
    expect(model.list()).toEqual([]);
  });

  test('keeps a beginning of what was torn', async () => {
    const { model, disk, files } = open();
    await disk.append('/log', 'first\n');
    const handle = await files.open('/log', 0o2001, 0o600);
    await handle.writeFile('second\n');
    const lengths = new Set<number>();
    for (let seed = 1; seed < 20; seed += 1) {
      const copy = open();
      await copy.disk.append('/log', 'first\n');
      await (await copy.files.open('/log', 0o2001, 0o600)).writeFile('second\n');
      copy.model.crash('torn', createPrng(seed));
      const text = String(copy.model.peek('/log'));
      expect(text.startsWith('first\n')).toBe(true);
      lengths.add(text.length);
    }
    expect(lengths.size).toBeGreaterThan(3);
    expect(String(model.peek('/log'))).toBe('first\nsecond\n');
  });
});

test('a replaced file is the old or the new one, wherever it stops', async () => {
  for (let stopAt = 1; stopAt < 12; stopAt += 1) {
    for (const loss of ['dropped', 'kept', 'torn'] as const) {
      let left = Infinity;
      const model = new CrashDisk();
      const disk = createDisk(
        model.files((operation) => (operation !== 'read' && (left -= 1) < 0 ? new Promise(() => {}) : undefined)),
      );
      await disk.write('/file', 'old');
      left = stopAt - 1;
      void disk.write('/file', 'new');
      await new Promise((resolve) => void setImmediate(resolve));
      model.crash(loss, createPrng(stopAt));
      expect(['old', 'new']).toContain(String(model.peek('/file')));
    }
  }
});
