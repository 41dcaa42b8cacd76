import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {};

/** What people and tokens are held to, and people who come from an identity provider. */
export const scopes = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
  },
});
