import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  identities: {
    columns: { issuer: 'text', subject: 'text', user_id: 'text', created_at: 'text' },
    key: ['issuer', 'subject'],
    unique: ['user_id'],
    foreign: [[['user_id'], 'users', ['id'], 'cascade']],
  },
};

/** Everything that was there before is of the project `default`, and nobody was held to anything. */
async function addBounds({ schema }: Kysely<unknown>): Promise<void> {
  for (const table of ['subscriptions', 'templates', 'configs'])
    await schema
      .alterTable(table)
      .addColumn('project', 'text', (column) => column.notNull().defaultTo('default'))
      .execute();
  for (const table of ['users', 'access_tokens']) await schema.alterTable(table).addColumn('bounds', 'text').execute();
}

/** What people and tokens are held to, and people who come from an identity provider. */
export const scopes = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    await db.schema.alterTable('sessions').addColumn('proven_at', 'text').execute();
    await db.schema.alterTable('access_tokens').addColumn('created_by', 'text').execute();
    await addBounds(db);
  },
});
