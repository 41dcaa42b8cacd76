import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  setting_layers: {
    columns: { scope: 'text', values: 'text', version: 'integer', updated_at: 'text' },
    key: ['scope'],
  },
  setting_versions: {
    columns: {
      scope: 'text',
      version: 'integer',
      values: 'text',
      changed: 'text',
      author: 'text',
      message: 'text',
      created_at: 'text',
    },
    key: ['scope', 'version'],
  },
  setting_overrides: {
    columns: {
      id: 'text',
      scope: 'text',
      key: 'text',
      value: 'text',
      reason: 'text',
      author: 'text',
      created_at: 'text',
      ends_at: 'text',
    },
    key: ['id'],
    indexes: [['ends_at'], ['created_at', 'id']],
  },
};

const renditions: TableShape = {
  columns: {
    config_id: 'text',
    version: 'integer',
    profile: 'text',
    variant: 'text',
    digest: 'text',
    outbounds: 'integer',
    left_out: 'text',
    once: 'text',
    files: 'text',
    differs: 'text',
  },
  key: ['config_id', 'version', 'profile', 'variant'],
  indexes: [['digest']],
  foreign: [
    [['config_id', 'version'], 'config_versions', ['config_id', 'version'], 'cascade'],
    [['digest'], 'renditions', ['digest'], 'restrict'],
  ],
};
const table = 'config_version_renditions';
const before = 'config_version_renditions_before';
const kept = [
  'tenant_id',
  'config_id',
  'version',
  'profile',
  'digest',
  'outbounds',
  'left_out',
  'once',
  'files',
] as const;

/** Settings in layers with their history, and renditions that differ by them. */
export const settingLayers = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    // A primary key cannot be changed in SQLite: the table is made anew. No other table points to it.
    await db.schema.dropIndex(`${table}_by_digest`).execute();
    await db.schema.alterTable(table).renameTo(before).execute();
    await createTables(db, { [table]: renditions }, bytes);
    const names = sql.join(kept.map((name) => sql.ref(name)));
    await sql`insert into ${sql.table(table)} (${names}, variant, differs)
      select ${names}, ${sql.lit('')}, ${sql.lit('{}')} from ${sql.table(before)}`.execute(db);
    await db.schema.dropTable(before).execute();
  },
});
