import type { Kysely } from 'kysely';
import type { Tables } from './schema.ts';

/** Names of things by their ids, for people to read. */
export interface NamesRepository {
  /** Of those that are there; one query for each kind of thing among them. */
  of(ids: Iterable<string>): Promise<Map<string, string>>;
}

/** By the kind that an id begins with. */
const tables = {
  sub: 'subscriptions',
  cfg: 'configs',
  cli: 'clients',
  srv: 'servers',
  asg: 'assignments',
  usr: 'users',
  tok: 'access_tokens',
} as const satisfies Readonly<Record<string, keyof Tables>>;

export const createNamesRepository = (db: Kysely<Tables>, tenantId: string): NamesRepository => ({
  async of(ids) {
    const byKind = Map.groupBy(new Set(ids), (id) => id.split('_')[0] ?? '');
    const found = await Promise.all(
      Object.entries(tables).map(async ([kind, table]) => {
        const some = byKind.get(kind) ?? [];
        if (some.length === 0) return [];
        return await db
          .selectFrom(table)
          .select(['id', 'name'])
          .where('tenant_id', '=', tenantId)
          .where('id', 'in', some)
          .execute();
      }),
    );
    return new Map(found.flat().map(({ id, name }) => [id, name]));
  },
});
