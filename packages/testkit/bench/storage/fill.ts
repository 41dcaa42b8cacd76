// Large databases in seconds: rows are copied in SQL from those that a manager made itself.
import { DatabaseSync } from 'node:sqlite';

/** Opens the database of a manager that does not run. */
function withDatabase(file: string, change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file);
  try {
    // Nobody would miss it after a loss of power, and it is only made once.
    database.exec('pragma synchronous = off; pragma foreign_keys = off; begin');
    change(database);
    database.exec('commit; pragma wal_checkpoint(truncate)');
  } finally {
    database.close();
  }
}

const columnsOf = (database: DatabaseSync, table: string): string[] =>
  database
    .prepare('select name from pragma_table_info(?)')
    .all(table)
    .map(({ name }) => String(name));

/** `insert … select` of a table's own rows with some columns replaced by expressions. */
function copyRows(
  database: DatabaseSync,
  table: string,
  { where, change }: { readonly where: string; readonly change: Readonly<Record<string, string>> },
): void {
  const columns = columnsOf(database, table);
  const values = columns.map((column) => change[column] ?? `t.${column}`);
  database.exec(`insert into ${table} (${columns.join(', ')}) select ${values.join(', ')} from ${table} t ${where}`);
}

/**
 * Gives a config `versions` versions by copying those that it has, with contents of their own. It ends with the number
 * of them as its newest.
 */
export function fillVersions(file: string, configId: string, versions: number): void {
  withDatabase(file, (database) => {
    const made = Number(
      database.prepare('select max(version) as newest from config_versions where config_id = ?').get(configId)?.[
        'newest'
      ],
    );
    const ours = `config_id = '${configId}'`;
    const numbers = (from: number, to: number): string =>
      `(with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${to}) select i from n) n`;
    // Digests differ in their last characters, as many as a number has.
    const digest = `case when t.digest like 'sha256:%' then substr(t.digest, 1, 55) || printf('%016x', n.i * 1000000 + t.rowid) else t.digest end`;
    const copies = Math.ceil(versions / made) - 1;
    const all = `, ${numbers(1, copies)}`;
    const number = `n.i * ${made} + t.version`;
    const wanted = `where t.${ours} and ${number} <= ${versions}`;
    copyRows(database, 'config_versions', { where: `${all} ${wanted}`, change: { version: number, digest } });
    database.exec(`create temp table copied as select t.rowid as was, n.i as turn, t.version as version, t.digest as old,
      substr(t.digest, 1, 55) || printf('%016x', n.i * 1000000 + t.rowid) as digest
      from config_version_renditions t ${all} ${wanted}`);
    copyRows(database, 'config_version_renditions', {
      where: 'join temp.copied c on c.was = t.rowid',
      change: { version: `c.turn * ${made} + c.version`, digest: 'c.digest' },
    });
    copyRows(database, 'renditions', {
      where: 'join temp.copied c on c.old = t.digest',
      change: { digest: 'c.digest' },
    });
    copyRows(database, 'config_version_snapshots', { where: `${all} ${wanted}`, change: { version: number } });
    copyRows(database, 'config_version_files', { where: `${all} ${wanted}`, change: { version: number } });
    database.exec(
      `drop table temp.copied; update configs set version = ${versions}, last_number = ${versions} where id = '${configId}'`,
    );
  });
}

/** As if all versions had been made so many days ago. */
export function makeOld(file: string, days: number): void {
  const at = new Date(Date.now() - days * 86_400_000).toISOString();
  withDatabase(file, (database) => {
    database.prepare('update config_versions set created_at = ?, published_at = ?').run(at, at);
    database.prepare('update subscription_versions set created_at = ?').run(at);
  });
}

/** So many events, all of this hour. */
export function fillEvents(file: string, count: number): void {
  withDatabase(file, (database) => {
    const newest = Number(database.prepare('select coalesce(max(seq), 0) as newest from events').get()?.['newest']);
    const at = new Date().toISOString();
    database.exec(`
      with recursive n(i) as (select ${newest + 1} union all select i + 1 from n where i < ${count})
      insert into events (tenant_id, seq, id, type, timestamp, source, data)
      select 'main', i, printf('evt_%012d', i), 'server.committed', '${at}', 'manager',
        printf('{"server_id":"srv_%06d","epoch":1,"generation":%d}', i % 10000, i / 10000) from n;
      update meta set value = '${count}' where key = 'event_seq'`);
  });
}
