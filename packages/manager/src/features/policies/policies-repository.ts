import type { Policy } from '@sbox/protocol/pipeline';
import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { PolicyRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type PolicyTest = Pick<Policy, 'query' | 'at_most' | 'at_least' | 'expression'>;

/** What people say about a policy. Of one that comes with sbox, null means as it comes. */
export interface StoredPolicy extends Omit<
  PolicyRow,
  'tenant_id' | 'built_in' | 'verdict' | 'test' | 'configs' | 'enabled'
> {
  built_in: boolean;
  verdict: Policy['verdict'] | null;
  test: PolicyTest | null;
  /** Ids; null: all configs. */
  configs: readonly string[] | null;
  enabled: boolean;
}

export interface PoliciesRepository {
  insert(policy: StoredPolicy): Promise<void>;
  find(name: string): Promise<StoredPolicy | undefined>;
  /** By name; `after` is [name]. */
  list(page: PageRequest): Promise<StoredPolicy[]>;
  /** Every one that is on, by name. */
  enabled(): Promise<StoredPolicy[]>;
  count(): Promise<number>;
  update(name: string, changes: Partial<Omit<StoredPolicy, 'name'>>): Promise<void>;
  remove(name: string): Promise<void>;
}

export function createPoliciesRepository(db: Kysely<Tables>, tenant_id: string): PoliciesRepository {
  const rows = () => db.selectFrom('policies').selectAll().where('tenant_id', '=', tenant_id).orderBy('name');
  return {
    async insert(policy) {
      await db
        .insertInto('policies')
        .values({ ...write(policy), tenant_id })
        .execute();
    },
    async find(name) {
      const row = await rows().where('name', '=', name).executeTakeFirst();
      return row && read(row);
    },
    async list({ limit, after }) {
      let query = rows().limit(limit + 1);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(read);
    },
    enabled: async () => (await rows().where('enabled', '=', 1).execute()).map(read),
    async count() {
      const row = await db
        .selectFrom('policies')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('tenant_id', '=', tenant_id)
        .executeTakeFirstOrThrow();
      return row.count;
    },
    async update(name, changes) {
      await db
        .updateTable('policies')
        .set(write(changes))
        .where('tenant_id', '=', tenant_id)
        .where('name', '=', name)
        .execute();
    },
    async remove(name) {
      await db.deleteFrom('policies').where('tenant_id', '=', tenant_id).where('name', '=', name).execute();
    },
  };
}

type Written<T> = Omit<T, 'built_in' | 'test' | 'configs' | 'enabled'> & Omit<PolicyRow, 'tenant_id'>;

function write<T extends Partial<StoredPolicy>>(policy: T): Written<T> {
  const row: Record<string, unknown> = { ...policy };
  for (const column of ['test', 'configs'] as const)
    if (policy[column] !== undefined) row[column] = policy[column] === null ? null : JSON.stringify(policy[column]);
  for (const column of ['built_in', 'enabled'] as const)
    if (policy[column] !== undefined) row[column] = Number(policy[column]);
  return row as Written<T>;
}

const read = (row: PolicyRow): StoredPolicy => ({
  ...omit(row, 'tenant_id'),
  built_in: row.built_in === 1,
  enabled: row.enabled === 1,
  verdict: row.verdict as StoredPolicy['verdict'],
  test: row.test === null ? null : (JSON.parse(row.test) as PolicyTest),
  configs: row.configs === null ? null : (JSON.parse(row.configs) as string[]),
});
