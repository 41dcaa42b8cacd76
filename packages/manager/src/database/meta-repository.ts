import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** Single values of a tenant: the epoch, counters. */
export interface MetaRepository {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  /** Adds one to a counter and returns it; the first is 1. */
  next(key: string): Promise<number>;
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
  };
}
