import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { openDatabase } from './open-database.ts';

test('who has read in a transaction can write in it: no other process comes in between', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-database-'));
  const file = path.join(directory, 'sbox.db');
  const write = (key: string) => ({ tenant_id: 'main', key, value: 'x' });
  {
    await using opened = await openDatabase(file);
    const other = new DatabaseSync(file, { timeout: 0 });
    const otherWrites = (): void =>
      other.exec(`insert into meta (tenant_id, key, value) values ('main', 'theirs', 'x')`);
    await opened.db.transaction().execute(async (tx) => {
      expect(await tx.selectFrom('meta').selectAll().execute()).toEqual([]);
      expect(otherWrites).toThrow('database is locked');
      await tx.insertInto('meta').values(write('ours')).execute();
    });
    otherWrites();
    other.close();
    expect(await opened.db.selectFrom('meta').select('key').orderBy('key').execute()).toHaveLength(2);
  }
  await rm(directory, { recursive: true });
});
