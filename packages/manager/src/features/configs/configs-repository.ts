import type { configWriteSchema, UnitFile } from '@sbox/protocol';
import type { Insertable, Kysely, Updateable } from 'kysely';
import type * as z from 'zod/mini';
import { compress, decompress } from '../../database/compressed.ts';
import type { PageRequest } from '../../database/page.ts';
import type { ConfigRow, Tables, VersionFileRow } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import type { ConfigSettings, LeftOut, VersionInputs, VersionRendition } from './rendering.ts';

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
  settings: ConfigSettings;
  auto_deploy: boolean;
  pipeline: Recipe['pipeline'];
  template: Recipe['template'];
  patch: Recipe['patch'];
  tests: Recipe['tests'];
  tests_block: boolean;
  /** Ids, in order. */
  subscriptions: readonly string[];
}

export interface ConfigVersion {
  readonly config_id: string;
  readonly version: number;
  readonly digest: string;
  readonly inputs: VersionInputs;
  readonly nodes: number;
  readonly rollback_of: number | null;
  readonly author: string;
  readonly message: string;
  readonly created_at: string;
  readonly renditions: readonly VersionRendition[];
}

export interface ConfigsRepository {
  insert(config: Config): Promise<void>;
  find(idOrName: string): Promise<Config | undefined>;
  /** By name; `after` is [name]. */
  list(page: PageRequest): Promise<Config[]>;
  update(id: string, changes: Partial<Omit<Config, 'id'>>): Promise<void>;
  /** With its versions, and the renditions that no other config has. */
  remove(id: string): Promise<void>;
  /** Names of the configs that are made from a template, at most 1000. */
  usingTemplate(name: string): Promise<string[]>;
  /** Configs whose recipe names a subscription, at most 1000. */
  using(subscriptionId: string): Promise<Config[]>;
  count(): Promise<number>;
  insertVersion(version: Omit<ConfigVersion, 'renditions'>): Promise<void>;
  insertRendition(
    of: Pick<ConfigVersion, 'config_id' | 'version'>,
    rendition: VersionRendition,
    text: string,
  ): Promise<void>;
  findVersion(configId: string, version: number): Promise<ConfigVersion | undefined>;
  /** Newest first; `after` is [version]. */
  listVersions(configId: string, page: PageRequest): Promise<ConfigVersion[]>;
  /** The exact bytes of a rendition. */
  content(digest: string): Promise<Buffer | undefined>;
  /** The same, still compressed. */
  compressedContent(digest: string): Promise<Uint8Array | undefined>;
}

export const createConfigsRepository = (db: Kysely<Tables>, tenant_id: string): ConfigsRepository => ({
  ...readsOf(db, tenant_id),
  ...recipesOf(db, tenant_id),
  ...versionsOf(db, tenant_id),
});

type Reads = Pick<ConfigsRepository, 'find' | 'list' | 'using' | 'usingTemplate' | 'count'>;
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
    async list({ limit, after }) {
      let query = configs()
        .orderBy('name')
        .limit(limit + 1);
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
    async usingTemplate(name) {
      const rows = await db
        .selectFrom('configs')
        .select('name')
        .where('tenant_id', '=', tenant_id)
        .where('template_name', '=', name)
        .orderBy('name')
        .limit(1000)
        .execute();
      return rows.map((row) => row.name);
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
    settings: JSON.parse(row.settings) as ConfigSettings,
    pipeline: JSON.parse(row.pipeline) as Config['pipeline'],
    template: { name, ...(JSON.parse(template) as Omit<Config['template'], 'name'>) },
    patch: JSON.parse(row.patch) as Config['patch'],
    tests: JSON.parse(row.tests) as Config['tests'],
    auto_deploy: row.auto_deploy === 1,
    tests_block: row.tests_block === 1,
  };
}

type Versions = Pick<
  ConfigsRepository,
  'insertVersion' | 'insertRendition' | 'findVersion' | 'listVersions' | 'content' | 'compressedContent'
>;

function versionsOf(db: Kysely<Tables>, tenant_id: string): Versions {
  const versions = (configId: string) =>
    db.selectFrom('config_versions').selectAll().where('tenant_id', '=', tenant_id).where('config_id', '=', configId);
  const load = async (configId: string, rows: Awaited<ReturnType<ReturnType<typeof versions>['execute']>>) => {
    if (rows.length === 0) return [];
    const numbers = rows.map(({ version }) => version);
    const made = await renditionsOf(db, tenant_id, configId).where('made.version', 'in', numbers).execute();
    const byVersion = Map.groupBy(made, ({ version }) => version);
    return rows.map((row): ConfigVersion => ({
      ...omit(row, 'tenant_id'),
      inputs: JSON.parse(row.inputs) as VersionInputs,
      renditions: (byVersion.get(row.version) ?? []).map((rendition) => ({
        ...omit(rendition, 'version'),
        left_out: JSON.parse(rendition.left_out) as LeftOut[],
        once: JSON.parse(rendition.once) as string[],
        files: JSON.parse(rendition.files) as UnitFile[],
      })),
    }));
  };
  const compressedContent = async (digest: string): Promise<Uint8Array | undefined> => {
    const query = db.selectFrom('renditions').select('content').where('tenant_id', '=', tenant_id);
    return (await query.where('digest', '=', digest).executeTakeFirst())?.content;
  };

  return {
    async insertVersion({ inputs, ...row }) {
      const stored = { ...row, inputs: JSON.stringify(inputs), tenant_id };
      await db.insertInto('config_versions').values(stored).execute();
      await addFiles(db, { ...row, tenant_id }, inputs.rule_sets ?? []);
    },
    async insertRendition({ config_id, version }, { size, left_out, once, files, ...rendition }, text) {
      await db
        .insertInto('renditions')
        .values({ tenant_id, digest: rendition.digest, size, content: compress(text) })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'digest']).doNothing())
        .execute();
      const lists = {
        left_out: JSON.stringify(left_out),
        once: JSON.stringify(once),
        files: JSON.stringify(files),
      };
      await db
        .insertInto('config_version_renditions')
        .values({ ...rendition, ...lists, tenant_id, config_id, version })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'config_id', 'version', 'profile']).doNothing())
        .execute();
      await addFiles(db, { tenant_id, config_id, version }, files);
    },
    findVersion: async (configId, version) =>
      (await load(configId, await versions(configId).where('version', '=', version).execute()))[0],
    async listVersions(configId, { limit, after }) {
      let query = versions(configId)
        .orderBy('version', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('version', '<', Number(after[0]));
      return await load(configId, await query.execute());
    },
    compressedContent,
    async content(digest) {
      const bytes = await compressedContent(digest);
      return bytes && decompress(bytes);
    },
  };
}

const renditionsOf = (db: Kysely<Tables>, tenant_id: string, configId: string) =>
  db
    .selectFrom('config_version_renditions as made')
    .innerJoin('renditions', (join) =>
      join.onRef('renditions.tenant_id', '=', 'made.tenant_id').onRef('renditions.digest', '=', 'made.digest'),
    )
    .select(['made.version', 'profile', 'made.digest', 'size', 'outbounds', 'left_out', 'once', 'files'])
    .where('made.tenant_id', '=', tenant_id)
    .where('made.config_id', '=', configId)
    .orderBy('profile');

/** The blobs are there already; this keeps them. */
async function addFiles(
  db: Kysely<Tables>,
  { tenant_id, config_id, version }: Pick<VersionFileRow, 'tenant_id' | 'config_id' | 'version'>,
  files: readonly { readonly digest: string; readonly url?: string }[],
): Promise<void> {
  if (files.length === 0) return;
  await db
    .insertInto('config_version_files')
    .values(files.map(({ digest, url = '' }) => ({ tenant_id, config_id, version, digest, url })))
    .onConflict((conflict) => conflict.columns(['tenant_id', 'config_id', 'version', 'digest', 'url']).doNothing())
    .execute();
}
