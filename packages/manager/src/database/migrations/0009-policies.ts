import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  policies: {
    columns: {
      name: 'text',
      built_in: 'integer',
      description: 'text',
      'verdict?': 'text',
      'reason?': 'text',
      'test?': 'text',
      'configs?': 'text',
      enabled: 'integer',
      revision: 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['name'],
  },
};

/** Columns of versions, with what those of before there were drafts have. */
const versionColumns = {
  state: 'published',
  tags: '[]',
  notes: '',
  findings: '[]',
} as const;

/** Policies over what is made; drafts, tags and notes of versions. */
export const policies = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    const versions = db.schema.alterTable('config_versions');
    for (const [name, value] of Object.entries(versionColumns))
      await versions.addColumn(name, 'text', (column) => column.notNull().defaultTo(value)).execute();
    await versions.addColumn('revision', 'integer', (column) => column.notNull().defaultTo(1)).execute();
    for (const name of ['published_at', 'published_by']) await versions.addColumn(name, 'text').execute();
    await db.schema
      .alterTable('configs')
      .addColumn('last_number', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
    await sql`update config_versions set published_at = created_at, published_by = author`.execute(db);
    await sql`update configs set last_number = coalesce(version, 0)`.execute(db);
  },
});
