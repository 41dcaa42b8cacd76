import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** Single values of a tenant: the epoch, counters. */
export interface MetaRepository {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  /** Adds one to a counter and returns it; the first is 1. */
  next(key: string): Promise<number>;
  /** Keys that begin with the prefix, with their values. */
  list(prefix: string): Promise<Map<string, string>>;
  /** Removes a key that still has this value. */
  remove(key: string, value: string): Promise<void>;
}

export function createMetaRepository(db: Kysely<Tables>, tenant_id: string): MetaRepository {
  return {
    async get(key) {
      const row = await db
        .selectFrom('meta')
        .select('value')
        .where('tenant_id', '=', tenant_id)
        .where('key', '=', key)
        .executeTakeFirst();
      return row?.value;
    },
    async set(key, value) {
      await db
        .insertInto('meta')
        .values({ tenant_id, key, value })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'key']).doUpdateSet({ value }))
        .execute();
    },
    async next(key) {
      const current = Number((await this.get(key)) ?? 0);
      await this.set(key, String(current + 1));
      return current + 1;
    },
    async list(prefix) {
      const rows = await db
        .selectFrom('meta')
        .select(['key', 'value'])
        .where('tenant_id', '=', tenant_id)
        .where('key', '>=', prefix)
        .where('key', '<', `${prefix}\uffff`)
        .execute();
      return new Map(rows.map(({ key, value }) => [key, value]));
    },
    async remove(key, value) {
      await db
        .deleteFrom('meta')
        .where('tenant_id', '=', tenant_id)
        .where('key', '=', key)
        .where('value', '=', value)
        .execute();
    },
  };
}
