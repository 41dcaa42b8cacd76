import type { configWriteSchema } from '@sbox/protocol';
import type { Insertable, Kysely, Updateable } from 'kysely';
import type * as z from 'zod/mini';
import type { ContentStore } from '../../database/content-store.ts';
import type { InProjects, PageRequest } from '../../database/page.ts';
import type { ConfigRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import {
  contentsOf,
  versionsOf,
  type ContentsRepository,
  type VersionsRepository,
} from './config-versions-repository.ts';
import { marksOf, type MarksRepository } from './version-marks.ts';
import type { WrittenSettings } from './rendering.ts';

type Recipe = z.output<typeof configWriteSchema>;

/** A recipe as it is stored, its parts parsed. */
export interface Config extends Omit<
  ConfigRow,
  | 'tenant_id'
  | 'settings'
  | 'auto_deploy'
  | 'pipeline'
  | 'template_name'
  | 'template'
  | 'patch'
  | 'tests'
  | 'tests_block'
> {
  /** As they were written. */
  settings: WrittenSettings;
  auto_deploy: boolean;
  pipeline: Recipe['pipeline'];
  template: Recipe['template'];
  patch: Recipe['patch'];
  tests: Recipe['tests'];
  tests_block: boolean;
  /** Ids, in order. */
  subscriptions: readonly string[];
}

export interface ConfigsRepository extends VersionsRepository, ContentsRepository, MarksRepository {
  insert(config: Config): Promise<void>;
  find(idOrName: string): Promise<Config | undefined>;
  /** By name, of these projects only; `after` is [name]. */
  list(page: PageRequest & InProjects): Promise<Config[]>;
  update(id: string, changes: Partial<Omit<Config, 'id'>>): Promise<void>;
  /** With its versions, and the renditions that no other config has. */
  remove(id: string): Promise<void>;
  /** Names of the configs that are made from a template, of these projects only, at most 1000. */
  usingTemplate(name: string, projects?: InProjects['projects']): Promise<string[]>;
  /** Projects of the configs that are made from a template. */
  projectsUsingTemplate(name: string): Promise<string[]>;
  /** Configs whose recipe names a subscription, at most 1000. */
  using(subscriptionId: string): Promise<Config[]>;
  /** Configs that follow the newest version of a template. */
  following(template: string): Promise<Config[]>;
  count(): Promise<number>;
}

export const createConfigsRepository = (
  db: Kysely<Tables>,
  tenant_id: string,
  contents: ContentStore,
): ConfigsRepository => ({
  ...readsOf(db, tenant_id),
  ...usesOf(db, tenant_id),
  ...recipesOf(db, tenant_id),
  ...versionsOf(db, tenant_id, contents),
  ...contentsOf(db, tenant_id, contents),
  ...marksOf(db, tenant_id),
});

type Reads = Pick<ConfigsRepository, 'find' | 'list' | 'using' | 'following' | 'count'>;
type Uses = Pick<ConfigsRepository, 'usingTemplate' | 'projectsUsingTemplate'>;
type Recipes = Pick<ConfigsRepository, 'insert' | 'update' | 'remove'>;

function readsOf(db: Kysely<Tables>, tenant_id: string): Reads {
  const configs = () => db.selectFrom('configs').selectAll().where('tenant_id', '=', tenant_id);
  const withSubscriptions = async (rows: readonly ConfigRow[]): Promise<Config[]> => {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const links = await db
      .selectFrom('config_subscriptions')
      .select(['config_id', 'subscription_id'])
      .where('tenant_id', '=', tenant_id)
      .where('config_id', 'in', ids)
      .orderBy('position')
      .execute();
    const byConfig = Map.groupBy(links, ({ config_id }) => config_id);
    return rows.map((row) => ({
      ...readRow(row),
      subscriptions: (byConfig.get(row.id) ?? []).map(({ subscription_id }) => subscription_id),
    }));
  };
  return {
    async find(idOrName) {
      const rows = await configs()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && (await withSubscriptions([row]))[0];
    },
    async list({ limit, after, projects }) {
      let query = configs()
        .orderBy('name')
        .limit(limit + 1);
      if (projects) query = query.where('project', 'in', [...projects]);
      if (after) query = query.where('name', '>', String(after[0]));
      return await withSubscriptions(await query.execute());
    },
    async using(subscriptionId) {
      const named = db
        .selectFrom('config_subscriptions')
        .select('config_id')
        .where('tenant_id', '=', tenant_id)
        .where('subscription_id', '=', subscriptionId);
      return await withSubscriptions(await configs().where('id', 'in', named).orderBy('name').limit(1000).execute());
    },
    async following(template) {
      const made = await withSubscriptions(await configs().where('template_name', '=', template).execute());
      return made.filter((config) => config.template.version === undefined);
    },
    async count() {
      const row = await db
        .selectFrom('configs')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('tenant_id', '=', tenant_id)
        .executeTakeFirstOrThrow();
      return row.count;
    },
  };
}

const usesOf = (db: Kysely<Tables>, tenant_id: string): Uses => ({
  async projectsUsingTemplate(name) {
    const rows = await db
      .selectFrom('configs')
      .select('project')
      .distinct()
      .where('tenant_id', '=', tenant_id)
      .where('template_name', '=', name)
      .execute();
    return rows.map(({ project }) => project);
  },
  async usingTemplate(name, projects) {
    const rows = await db
      .selectFrom('configs')
      .select('name')
      .where('tenant_id', '=', tenant_id)
      .where('template_name', '=', name)
      .$if(projects !== undefined, (query) => query.where('project', 'in', [...(projects ?? [])]))
      .orderBy('name')
      .limit(1000)
      .execute();
    return rows.map((row) => row.name);
  },
});

function recipesOf(db: Kysely<Tables>, tenant_id: string): Recipes {
  const link = async (config_id: string, ids: readonly string[]): Promise<void> => {
    await db
      .deleteFrom('config_subscriptions')
      .where('tenant_id', '=', tenant_id)
      .where('config_id', '=', config_id)
      .execute();
    if (ids.length === 0) return;
    const rows = ids.map((subscription_id, position) => ({ tenant_id, config_id, position, subscription_id }));
    await db.insertInto('config_subscriptions').values(rows).execute();
  };

  return {
    async insert({ subscriptions, ...config }) {
      await db
        .insertInto('configs')
        .values({ ...(writeRow(config) as Insertable<Omit<ConfigRow, 'tenant_id'>>), tenant_id })
        .execute();
      await link(config.id, subscriptions);
    },
    async update(id, { subscriptions, ...changes }) {
      const stored = writeRow(changes);
      await db.updateTable('configs').set(stored).where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
      if (subscriptions) await link(id, subscriptions);
    },
    async remove(id) {
      await db.deleteFrom('configs').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
      const used = db.selectFrom('config_version_renditions').select('digest').where('tenant_id', '=', tenant_id);
      await db.deleteFrom('renditions').where('tenant_id', '=', tenant_id).where('digest', 'not in', used).execute();
    },
  };
}

/** Columns that hold JSON, and those that hold a truth as 0 or 1. */
const jsonColumns = ['settings', 'pipeline', 'patch', 'tests'] as const;
const flagColumns = ['auto_deploy', 'tests_block'] as const;

function writeRow({ template, ...fields }: Partial<Omit<Config, 'subscriptions'>>): Updateable<ConfigRow> {
  const row: Record<string, unknown> = { ...fields };
  for (const column of jsonColumns) if (fields[column] !== undefined) row[column] = JSON.stringify(fields[column]);
  for (const column of flagColumns) if (fields[column] !== undefined) row[column] = Number(fields[column]);
  if (template === undefined) return row;
  const { name, ...rest } = template;
  return { ...row, template_name: name, template: JSON.stringify(rest) };
}

function readRow(row: ConfigRow): Omit<Config, 'subscriptions'> {
  const { template_name: name, template, ...rest } = omit(row, 'tenant_id');
  return {
    ...rest,
    settings: JSON.parse(row.settings) as WrittenSettings,
    pipeline: JSON.parse(row.pipeline) as Config['pipeline'],
    template: { name, ...(JSON.parse(template) as Omit<Config['template'], 'name'>) },
    patch: JSON.parse(row.patch) as Config['patch'],
    tests: JSON.parse(row.tests) as Config['tests'],
    auto_deploy: row.auto_deploy === 1,
    tests_block: row.tests_block === 1,
  };
}
