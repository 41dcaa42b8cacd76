import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {};

/** Settings in layers with their history, and renditions that differ by them. */
export const settingLayers = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
  },
});
