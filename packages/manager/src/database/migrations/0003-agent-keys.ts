import type { Kysely } from 'kysely';

/** A server's next key stands beside the one in use until it was used. */
export const agentKeys = () => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('agent_keys')
      .addColumn('is_candidate', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
  },
});
