import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { forKysely } from '../node-sqlite.ts';
import { openDatabase } from '../open-database.ts';
import { createStore } from '../store.ts';
import { initial } from './0001-initial.ts';

const at = '2026-01-01T00:00:00.000Z';

/** A database as the first version left it, with a config and its version 1. */
async function writeFirst(file: string): Promise<void> {
  const db = new Kysely<never>({ dialect: new SqliteDialect({ database: forKysely(new DatabaseSync(file)) }) });
  const migrations = { '0001-initial': initial('blob') };
  await new Migrator({
    db,
    provider: { getMigrations: async () => await Promise.resolve(migrations) },
  }).migrateToLatest();
  await db.destroy();
  const sqlite = new DatabaseSync(file);
  const insert = (table: string, row: Record<string, SQLInputValue>): void => {
    const columns = Object.keys(row);
    const places = columns.map(() => '?').join(', ');
    sqlite.prepare(`insert into ${table} (${columns.join(', ')}) values (${places})`).run(...Object.values(row));
  };
  const of = { tenant_id: 'main', config_id: 'cfg', version: 1, digest: 'd' };
  const made = { author: 'admin', message: '', created_at: at };
  insert('configs', {
    tenant_id: 'main',
    id: 'cfg',
    name: 'home',
    engine: 'sing-box',
    settings: '{"log_level":"warn"}',
    auto_deploy: 0,
    revision: 3,
    version: 1,
    created_at: at,
    updated_at: at,
  });
  const snapshots = [{ subscription_id: 'sub', version: 4, digest: 'd' }];
  const inputs = JSON.stringify({ engine: 'sing-box', snapshots, settings: { log_level: 'warn' } });
  insert('config_versions', { ...of, ...made, inputs, nodes: 1 });
  insert('renditions', { tenant_id: 'main', digest: 'd', size: 1, content: Buffer.from('x') });
  insert('config_version_renditions', { ...of, profile: 'p', outbounds: 1, left_out: '[]', once: '[]' });
  sqlite.close();
}

test('what the first version stored is there after every migration, with what it had then', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-migrations-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => await rm(directory, { recursive: true }));
  const file = path.join(directory, 'sbox.db');
  await writeFirst(file);
  for (const _ of ['migrated', 'opened again']) {
    await using database = await openDatabase(file);
    const deps = { db: database.db, clock: createFakeClock(), newId: createNewId(randomBytes), published: () => {} };
    const { configs } = createStore(deps);
    expect(await configs.find('home')).toMatchObject({
      revision: 3,
      settings: { log_level: 'warn' },
      pipeline: [],
      template: { name: 'mixed', params: {} },
      patch: [],
      tests: [],
      tests_block: true,
    });
    expect(await configs.findVersion('cfg', 1)).toMatchObject({
      inputs: { settings: { log_level: 'warn' } },
      renditions: [{ profile: 'p', files: [] }],
    });
    const used = await database.db.selectFrom('config_version_snapshots').selectAll().execute();
    expect(used).toEqual([{ tenant_id: 'main', config_id: 'cfg', version: 1, subscription_id: 'sub', snapshot: 4 }]);
  }
});

test('migrations that end in the middle leave what was there', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-migrations-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => await rm(directory, { recursive: true }));
  const file = path.join(directory, 'sbox.db');
  await writeFirst(file);
  using sqlite = new DatabaseSync(file);
  const tables = (): unknown[] => sqlite.prepare("select name, sql from sqlite_master where type = 'table'").all();
  // One of the later migrations comes upon a table of its name.
  sqlite.exec('create table clients (id text)');
  const before = tables();
  await expect(openDatabase(file)).rejects.toMatchObject({ code: 'settings.invalid' });
  expect(tables()).toEqual(before);
  sqlite.exec('drop table clients');
  await using database = await openDatabase(file);
  expect(await database.db.selectFrom('clients').selectAll().execute()).toEqual([]);
});
