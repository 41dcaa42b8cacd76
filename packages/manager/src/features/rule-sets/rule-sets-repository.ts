import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { RuleSetRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type RuleSet = Omit<RuleSetRow, 'tenant_id'>;

/** Rule-sets that configs name by URL, with their last good content. */
export interface RuleSetsRepository {
  /** Makes the row unless it is there. */
  insert(ruleSet: RuleSet): Promise<void>;
  find(url: string): Promise<RuleSet | undefined>;
  findMany(urls: readonly string[]): Promise<RuleSet[]>;
  /** By URL; `after` is [url]. */
  list(page: PageRequest): Promise<RuleSet[]>;
  /** What is to be fetched, the longest waiting first; what has no time set comes too. */
  due(now: string, limit: number): Promise<RuleSet[]>;
  update(url: string, changes: Partial<Omit<RuleSet, 'url'>>): Promise<void>;
  /** Removes those that no version names, nobody holds now, and that were there before this time. */
  removeUnused(before: string, now: string): Promise<void>;
  /**
   * Ids of the configs whose newest version has other content of a rule-set than the mirror, at most 1000. One that brings
   * an old version back has old content on purpose: only what came after it counts.
   */
  outdatedConfigs(): Promise<string[]>;
  /** URL to the names of configs whose newest version has it. */
  users(urls: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
}

export const createRuleSetsRepository = (db: Kysely<Tables>, tenant_id: string): RuleSetsRepository => ({
  ...rowsOf(db, tenant_id),
  ...usesOf(db, tenant_id),
});

type Uses = Pick<RuleSetsRepository, 'removeUnused' | 'outdatedConfigs' | 'users'>;

function rowsOf(db: Kysely<Tables>, tenant_id: string): Omit<RuleSetsRepository, keyof Uses> {
  const rows = () => db.selectFrom('rule_sets').selectAll().where('tenant_id', '=', tenant_id);
  const plain = (row: RuleSetRow): RuleSet => omit(row, 'tenant_id');
  return {
    async insert(ruleSet) {
      await db
        .insertInto('rule_sets')
        .values({ ...ruleSet, tenant_id })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'url']).doNothing())
        .execute();
    },
    async find(url) {
      const row = await rows().where('url', '=', url).executeTakeFirst();
      return row && plain(row);
    },
    findMany: async (urls) =>
      urls.length === 0 ? [] : (await rows().where('url', 'in', urls).execute()).map((row) => plain(row)),
    async list({ limit, after }) {
      let query = rows()
        .orderBy('url')
        .limit(limit + 1);
      if (after) query = query.where('url', '>', String(after[0]));
      return (await query.execute()).map((row) => plain(row));
    },
    async due(now, limit) {
      const query = rows().where((row) => row.or([row('next_fetch_at', 'is', null), row('next_fetch_at', '<=', now)]));
      return (await query.orderBy('next_fetch_at').limit(limit).execute()).map((row) => plain(row));
    },
    async update(url, changes) {
      await db
        .updateTable('rule_sets')
        .set(changes)
        .where('tenant_id', '=', tenant_id)
        .where('url', '=', url)
        .execute();
    },
  };
}

function usesOf(db: Kysely<Tables>, tenant_id: string): Uses {
  const newestFiles = () =>
    db
      .selectFrom('configs')
      .innerJoin('config_version_files as file', (join) =>
        join
          .onRef('file.tenant_id', '=', 'configs.tenant_id')
          .onRef('file.config_id', '=', 'configs.id')
          .onRef('file.version', '=', 'configs.version'),
      )
      .where('configs.tenant_id', '=', tenant_id);
  return {
    async removeUnused(before, now) {
      const used = db.selectFrom('config_version_files').select('url').where('tenant_id', '=', tenant_id);
      const held = db
        .selectFrom('blobs')
        .select('digest')
        .where('tenant_id', '=', tenant_id)
        .where('held_until', '>=', now);
      await db
        .deleteFrom('rule_sets')
        .where('tenant_id', '=', tenant_id)
        .where('created_at', '<', before)
        .where('url', 'not in', used)
        .where((row) => row.or([row('digest', 'is', null), row('digest', 'not in', held)]))
        .execute();
    },
    async outdatedConfigs() {
      const found = await newestFiles()
        .innerJoin('rule_sets', (join) =>
          join.onRef('rule_sets.tenant_id', '=', 'file.tenant_id').onRef('rule_sets.url', '=', 'file.url'),
        )
        .innerJoin('config_versions as version', (join) =>
          join
            .onRef('version.tenant_id', '=', 'file.tenant_id')
            .onRef('version.config_id', '=', 'file.config_id')
            .onRef('version.version', '=', 'file.version'),
        )
        .whereRef('rule_sets.digest', '!=', 'file.digest')
        .where((row) =>
          row.or([
            row('version.rollback_of', 'is', null),
            row('rule_sets.fetched_at', '>', row.ref('version.created_at')),
          ]),
        )
        .select('configs.id')
        .distinct()
        .limit(1000)
        .execute();
      return found.map(({ id }) => id);
    },
    async users(urls) {
      if (urls.length === 0) return new Map();
      const found = await newestFiles()
        .where('file.url', 'in', urls)
        .select(['file.url', 'configs.name'])
        .distinct()
        .orderBy('configs.name')
        .execute();
      const byUrl = Map.groupBy(found, ({ url }) => url);
      return new Map([...byUrl].map(([url, users]) => [url, users.map(({ name }) => name)]));
    },
  };
}
