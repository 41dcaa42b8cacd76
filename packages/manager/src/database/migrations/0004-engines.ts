import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  engine_builds: {
    columns: {
      digest: 'text',
      kind: 'text',
      version: 'text',
      arch: 'text',
      size: 'integer',
      tags: 'text',
      author: 'text',
      created_at: 'text',
    },
    key: ['digest'],
    unique: ['kind', 'version', 'arch'],
  },
};

/** Servers of before run their own engines, and take versions without being asked again. */
const columns = [
  ['assignments', 'engine', 'text', ''],
  ['deployments', 'engine', 'text', ''],
  ['deployments', 'confirm_ms', 'integer', 0],
] as const;

/** Programs that servers are given, and which version of them a server and a deployment have. */
export const engines = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    for (const [table, name, type, value] of columns) {
      await db.schema
        .alterTable(table)
        .addColumn(name, type, (column) => column.notNull().defaultTo(sql.lit(value)))
        .execute();
    }
  },
});
