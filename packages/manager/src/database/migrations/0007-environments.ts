import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {};

/** Environments, labels of servers, and rules that say which servers a config is for. */
export const environments = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
  },
});
