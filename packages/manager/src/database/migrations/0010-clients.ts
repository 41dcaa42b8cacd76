import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {};

/** Who fetches a config as a subscription, and from which devices. */
export const clients = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
  },
});
