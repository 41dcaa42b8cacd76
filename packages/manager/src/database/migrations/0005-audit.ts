import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  audit_entries: {
    columns: {
      seq: 'integer',
      v: 'integer',
      ts: 'text',
      actor_type: 'text',
      actor_id: 'text',
      actor_name: 'text',
      'token_id?': 'text',
      ip: 'text',
      request_id: 'text',
      action: 'text',
      object: 'text',
      result: 'text',
      'code?': 'text',
      change: 'text',
      prev: 'text',
      hash: 'text',
    },
    key: ['seq'],
    indexes: [['actor_id', 'seq'], ['actor_name', 'seq'], ['action', 'seq'], ['result', 'seq'], ['ts']],
  },
  audit_checkpoints: {
    columns: { seq: 'integer', hash: 'text', ts: 'text', signature: 'text', keyid: 'text', public_key: 'text' },
    key: ['seq'],
  },
};

type Refusal = (table: string, change: 'update' | 'delete') => string;

/** How a database is told to refuse changes of rows; another database adds its own words here. */
const refusals = {
  sqlite: (table, change) =>
    `create trigger ${table}_no_${change} before ${change} on ${table} ` +
    `begin select raise(abort, '${table} is only ever added to'); end`,
} satisfies Readonly<Record<string, Refusal>>;

/** The audit log: entries that are only ever added, and signatures over heads of their chain. */
export const audit = (bytes: BytesType, database: keyof typeof refusals) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    for (const table of Object.keys(tables)) {
      for (const change of ['update', 'delete'] as const) await sql.raw(refusals[database](table, change)).execute(db);
    }
  },
});
