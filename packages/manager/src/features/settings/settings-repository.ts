import { parseScope } from '@sbox/protocol';
import type { Kysely } from 'kysely';
import { newestFirst, type PageRequest } from '../../database/page.ts';
import type { SettingLayerRow, SettingOverrideRow, SettingVersionRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import { sortLayers, type SettingLayer, type SettingValues } from './layers.ts';

export interface StoredLayer extends Omit<SettingLayerRow, 'tenant_id' | 'values'> {
  values: SettingValues;
}
export interface StoredVersion extends Omit<SettingVersionRow, 'tenant_id' | 'values' | 'changed'> {
  values: SettingValues;
  changed: string[];
}
export interface StoredOverride extends Omit<SettingOverrideRow, 'tenant_id' | 'value'> {
  value: unknown;
}

/** What the manager was started with stands beside the scopes, so that a change of it is seen at the next start. */
export const startScopes = ['file', 'variable'] as const;
export type StartScope = (typeof startScopes)[number];
const isStartScope = (scope: string): scope is StartScope => (startScopes as readonly string[]).includes(scope);

export interface SettingsRepository {
  /** Everything that has a say beside defaults and recipes: the weakest first. */
  layers(): Promise<SettingLayer[]>;
  find(scope: string): Promise<StoredLayer | undefined>;
  /** Scopes that have values, by name; `after` is [scope]. */
  list(page: PageRequest): Promise<StoredLayer[]>;
  /** The values from now on, with the entry of the history. */
  write(version: StoredVersion): Promise<void>;
  findVersion(scope: string, version: number): Promise<StoredVersion | undefined>;
  /** Newest first; `after` is [version]. */
  listVersions(scope: string, page: PageRequest): Promise<StoredVersion[]>;
  insertOverride(override: StoredOverride): Promise<void>;
  /** Those of one scope. */
  overridesOf(scope: string): Promise<StoredOverride[]>;
  findOverride(id: string): Promise<StoredOverride | undefined>;
  removeOverride(id: string): Promise<void>;
  /** Newest first; `after` is [created_at, id]. */
  listOverrides(page: PageRequest): Promise<StoredOverride[]>;
  /** Those that should have ended by now, the oldest first. */
  dueOverrides(now: string, limit: number): Promise<StoredOverride[]>;
}

export const createSettingsRepository = (db: Kysely<Tables>, tenant_id: string): SettingsRepository => ({
  ...layersOf(db, tenant_id),
  ...overridesOf(db, tenant_id),
});

const readLayer = (row: SettingLayerRow): StoredLayer => ({
  ...omit(row, 'tenant_id'),
  values: JSON.parse(row.values) as SettingValues,
});
const readVersion = (row: SettingVersionRow): StoredVersion => ({
  ...omit(row, 'tenant_id'),
  values: JSON.parse(row.values) as SettingValues,
  changed: JSON.parse(row.changed) as string[],
});
const readOverride = (row: SettingOverrideRow): StoredOverride => ({
  ...omit(row, 'tenant_id'),
  value: JSON.parse(row.value) as unknown,
});

/** As it takes part in the order. */
export const overrideLayer = ({ id, scope, key, value, created_at }: StoredOverride): SettingLayer => ({
  layer: 'override',
  scope,
  since: `${created_at} ${id}`,
  values: { [key]: value },
});

export const layerOf = (scope: string, values: SettingValues): SettingLayer =>
  isStartScope(scope) ? { layer: scope, scope: '', values } : { layer: parseScope(scope).kind, scope, values };

type Layers = Pick<SettingsRepository, 'layers' | 'find' | 'list' | 'write' | 'findVersion' | 'listVersions'>;

function layersOf(db: Kysely<Tables>, tenant_id: string): Layers {
  const layers = () => db.selectFrom('setting_layers').selectAll().where('tenant_id', '=', tenant_id);
  const versions = (scope: string) =>
    db.selectFrom('setting_versions').selectAll().where('tenant_id', '=', tenant_id).where('scope', '=', scope);
  const overrides = () => db.selectFrom('setting_overrides').selectAll().where('tenant_id', '=', tenant_id);
  return {
    async layers() {
      const rows = (await layers().where('values', '!=', '{}').execute()).map(readLayer);
      const over = (await overrides().execute()).map(readOverride);
      return sortLayers([...rows.map(({ scope, values }) => layerOf(scope, values)), ...over.map(overrideLayer)]);
    },
    async find(scope) {
      const row = await layers().where('scope', '=', scope).executeTakeFirst();
      return row && readLayer(row);
    },
    async list({ limit, after }) {
      let query = layers()
        .where('values', '!=', '{}')
        .where('scope', 'not in', [...startScopes])
        .orderBy('scope')
        .limit(limit + 1);
      if (after) query = query.where('scope', '>', String(after[0]));
      return (await query.execute()).map(readLayer);
    },
    async write({ values, changed, ...row }) {
      const text = JSON.stringify(values);
      const { scope, version, created_at: updated_at } = row;
      const what = { values: text, version, updated_at };
      await db
        .insertInto('setting_layers')
        .values({ tenant_id, scope, ...what })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'scope']).doUpdateSet(what))
        .execute();
      const entry = { ...row, values: text, changed: JSON.stringify(changed), tenant_id };
      await db.insertInto('setting_versions').values(entry).execute();
    },
    async findVersion(scope, version) {
      const row = await versions(scope).where('version', '=', version).executeTakeFirst();
      return row && readVersion(row);
    },
    async listVersions(scope, { limit, after }) {
      let query = versions(scope)
        .orderBy('version', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('version', '<', Number(after[0]));
      return (await query.execute()).map(readVersion);
    },
  };
}

type Overrides = Pick<
  SettingsRepository,
  'insertOverride' | 'overridesOf' | 'findOverride' | 'removeOverride' | 'listOverrides' | 'dueOverrides'
>;

function overridesOf(db: Kysely<Tables>, tenant_id: string): Overrides {
  const overrides = () => db.selectFrom('setting_overrides').selectAll().where('tenant_id', '=', tenant_id);
  return {
    async insertOverride({ value, ...row }) {
      await db
        .insertInto('setting_overrides')
        .values({ ...row, value: JSON.stringify(value), tenant_id })
        .execute();
    },
    overridesOf: async (scope) => (await overrides().where('scope', '=', scope).execute()).map(readOverride),
    async findOverride(id) {
      const row = await overrides().where('id', '=', id).executeTakeFirst();
      return row && readOverride(row);
    },
    async removeOverride(id) {
      await db.deleteFrom('setting_overrides').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
    async listOverrides(page) {
      return (await newestFirst(overrides(), page).execute()).map(readOverride);
    },
    dueOverrides: async (now, limit) =>
      (await overrides().where('ends_at', '<=', now).orderBy('ends_at').limit(limit).execute()).map(readOverride),
  };
}
