import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { cachedStatements } from './cached-statements.ts';
import { forKysely } from './node-sqlite.ts';

function open() {
  const sqlite = new DatabaseSync(':memory:');
  const prepared: string[] = [];
  const database = forKysely(sqlite);
  const cached = cachedStatements({
    ...database,
    prepare: (sql) => {
      prepared.push(sql);
      return database.prepare(sql);
    },
  });
  return { cached, prepared };
}

test('a statement is prepared once', () => {
  const { cached, prepared } = open();
  cached.prepare('create table things (name text)').run([]);
  for (const name of ['a', 'b']) cached.prepare('insert into things values (?)').run([name]);
  for (let at = 0; at < 3; at += 1) cached.prepare('select * from things').all([]);
  expect(prepared).toEqual([
    'create table things (name text)',
    'insert into things values (?)',
    'select * from things',
  ]);
  cached.close();
});

test('after a change of the schema the new columns are there', () => {
  const { cached } = open();
  cached.prepare('create table things (name text)').run([]);
  cached.prepare("insert into things values ('a')").run([]);
  expect(cached.prepare('select * from things').all([])).toEqual([{ name: 'a' }]);
  cached.prepare("alter table things add column kind text default 'k'").run([]);
  expect(cached.prepare('select * from things').all([])).toEqual([{ name: 'a', kind: 'k' }]);
  cached.close();
});

test('what was not used for long is forgotten, what is used stays', () => {
  const { cached, prepared } = open();
  cached.prepare('select 0').all([]);
  for (let at = 1; at < 600; at += 1) {
    cached.prepare(`select ${at}`).all([]);
    cached.prepare('select 0').all([]);
  }
  expect(prepared.filter((sql) => sql === 'select 0')).toHaveLength(1);
  cached.prepare('select 1').all([]);
  expect(prepared.filter((sql) => sql === 'select 1')).toHaveLength(2);
  cached.close();
});
