import type { AgentStatus } from '@sbox/protocol';
import type { Kysely } from 'kysely';
import type { ContentStore } from '../../database/content-store.ts';
import type { Tables } from '../../database/schema.ts';
import { removeRenditions } from '../configs/remove-renditions.ts';
import type { KeptReason, Stored, Uses } from './retention-plan.ts';

/** A config or a subscription. */
export interface Owner {
  readonly id: string;
  readonly name: string;
  /** The newest version that is published; the newest snapshot. */
  readonly version: number | null;
  readonly pinned_version: number | null;
}

export interface Removal {
  readonly id: string;
  readonly versions: readonly number[];
  readonly now: string;
}

export interface RetentionRepository {
  /** Configs by name, after this one. */
  configs(after: string, limit: number): Promise<Owner[]>;
  subscriptions(after: string, limit: number): Promise<Owner[]>;
  /** Versions of a config below this one, newest first. */
  versions(configId: string, below: number, limit: number): Promise<Stored[]>;
  snapshots(subscriptionId: string, below: number, limit: number): Promise<Stored[]>;
  /** Those of them that are what they were: neither published nor tagged meanwhile. */
  sameVersions(configId: string, versions: readonly Stored[]): Promise<Stored[]>;
  /** Which of these versions of a config something needs, but for what servers say that they run. */
  versionUses(config: Owner, versions: readonly number[]): Promise<Uses>;
  snapshotUses(subscription: Owner, versions: readonly number[]): Promise<Uses>;
  /** What servers say that they run, by the digests of it, page by page of servers; null at the end. */
  runningDigests(after: string, limit: number): Promise<{ readonly digests: string[]; readonly after: string } | null>;
  /** Versions that have one of these renditions. */
  versionsOf(digests: readonly string[]): Promise<{ readonly config_id: string; readonly version: number }[]>;
  /** With what only they had. */
  removeVersions(removal: Removal): Promise<void>;
  removeSnapshots(removal: Removal): Promise<void>;
  /** Content that lost the last that needed it. */
  sweepKeyframes(after: number, limit: number): ReturnType<ContentStore['sweep']>;
}

export const createRetentionRepository = (
  db: Kysely<Tables>,
  tenant_id: string,
  contents: ContentStore,
): RetentionRepository => ({
  ...storedOf(db, tenant_id),
  ...usesOf(db, tenant_id),
  ...removalsOf(db, tenant_id),
  sweepKeyframes: async (after, limit) => await contents.sweep(after, limit),
});

type StoredReads = Pick<RetentionRepository, 'configs' | 'subscriptions' | 'versions' | 'snapshots' | 'sameVersions'>;

const storedOf = (db: Kysely<Tables>, tenant_id: string): StoredReads => ({
  async configs(after, limit) {
    const rows = await db
      .selectFrom('configs')
      .select(['id', 'name', 'version'])
      .where('tenant_id', '=', tenant_id)
      .where('name', '>', after)
      .orderBy('name')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ ...row, pinned_version: null }));
  },
  subscriptions: async (after, limit) =>
    await db
      .selectFrom('subscriptions')
      .select(['id', 'name', 'version', 'pinned_version'])
      .where('tenant_id', '=', tenant_id)
      .where('name', '>', after)
      .orderBy('name')
      .limit(limit)
      .execute(),
  async versions(configId, below, limit) {
    const rows = await db
      .selectFrom('config_versions')
      .select(['version', 'state', 'tags', 'created_at', 'published_at'])
      .where('tenant_id', '=', tenant_id)
      .where('config_id', '=', configId)
      .where('version', '<', below)
      .orderBy('version', 'desc')
      .limit(limit)
      .execute();
    return rows.map(({ version, state, tags, created_at, published_at }) => ({
      version,
      state: state as Stored['state'],
      isTagged: tags !== '[]',
      since: published_at ?? created_at,
    }));
  },
  async sameVersions(configId, versions) {
    const rows = await db
      .selectFrom('config_versions')
      .select(['version', 'state', 'tags'])
      .where('tenant_id', '=', tenant_id)
      .where('config_id', '=', configId)
      .where(
        'version',
        'in',
        versions.map(({ version }) => version),
      )
      .execute();
    const now = new Map(rows.map((row) => [row.version, row]));
    return versions.filter(
      ({ version, state }) => now.get(version)?.tags === '[]' && now.get(version)?.state === state,
    );
  },
  async snapshots(subscriptionId, below, limit) {
    const rows = await db
      .selectFrom('subscription_versions')
      .select(['version', 'created_at'])
      .where('tenant_id', '=', tenant_id)
      .where('subscription_id', '=', subscriptionId)
      .where('version', '<', below)
      .orderBy('version', 'desc')
      .limit(limit)
      .execute();
    return rows.map(({ version, created_at: since }) => ({ version, since, state: 'published', isTagged: false }));
  },
});

type UsesReads = Pick<RetentionRepository, 'versionUses' | 'snapshotUses' | 'runningDigests' | 'versionsOf'>;

const usesOf = (db: Kysely<Tables>, tenant_id: string): UsesReads => ({
  versionUses: async (config, versions) => await usesOfVersions(db, tenant_id, config, versions),
  async snapshotUses({ id, version, pinned_version }, versions) {
    // One look into the index for each: a snapshot may have gone into any number of versions.
    const made = await db
      .selectFrom('subscription_versions as one')
      .select('one.version')
      .where('one.tenant_id', '=', tenant_id)
      .where('one.subscription_id', '=', id)
      .where('one.version', 'in', versions)
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom('config_version_snapshots as used')
            .select('used.snapshot')
            .where('used.tenant_id', '=', tenant_id)
            .where('used.subscription_id', '=', id)
            .whereRef('used.snapshot', '=', 'one.version'),
        ),
      )
      .execute();
    return inOrder([
      ['newest', version === null ? [] : [version]],
      ['pinned', pinned_version === null ? [] : [pinned_version]],
      ['version', numbers(made)],
    ]);
  },
  async runningDigests(after, limit) {
    const rows = await db
      .selectFrom('servers')
      .select(['id', 'status'])
      .where('tenant_id', '=', tenant_id)
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit)
      .execute();
    const last = rows.at(-1);
    if (!last) return null;
    const said = rows.flatMap(({ status }) => (status === null ? [] : [JSON.parse(status) as AgentStatus]));
    const digests = said.flatMap(({ running, units }) => [running?.digest, ...units.map(({ digest }) => digest)]);
    return { digests: [...new Set(digests.filter((digest) => typeof digest === 'string'))], after: last.id };
  },
  async versionsOf(digests) {
    if (digests.length === 0) return [];
    return await db
      .selectFrom('config_version_renditions')
      .select(['config_id', 'version'])
      .where('tenant_id', '=', tenant_id)
      .where('digest', 'in', digests)
      .execute();
  },
});

async function usesOfVersions(
  db: Kysely<Tables>,
  tenant_id: string,
  { id, version }: Owner,
  versions: readonly number[],
): Promise<Uses> {
  const namedIn = (table: 'server_assignments' | 'manifest_versions') =>
    // The columns that are asked for are the same in both.
    db
      .selectFrom('config_versions as one')
      .select('one.version')
      .where('one.tenant_id', '=', tenant_id)
      .where('one.config_id', '=', id)
      .where('one.version', 'in', versions)
      .where(({ exists, selectFrom }) =>
        exists(
          selectFrom(`${table as 'manifest_versions'} as used`)
            .select('used.version')
            .where('used.tenant_id', '=', tenant_id)
            .where('used.config_id', '=', id)
            .whereRef('used.version', '=', 'one.version'),
        ),
      );
  const assigned = db.selectFrom('assignments').select('version').where('tenant_id', '=', tenant_id);
  // What servers that come are given: see `newest` of the deployments.
  const last = db.selectFrom('deployments').select('version').where('tenant_id', '=', tenant_id);
  const lastOfConfig = last.where('config_id', '=', id).where('state', '!=', 'halted');
  const running = last.where('config_id', '=', id).where('state', '=', 'running');
  return inOrder([
    ['newest', version === null ? [] : [version]],
    ['server', numbers(await namedIn('server_assignments').execute())],
    ['order', numbers(await namedIn('manifest_versions').execute())],
    ['deployment', numbers(await running.execute())],
    ['deployment', numbers(await lastOfConfig.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(1).execute())],
    ['assignment', numbers(await assigned.where('config_id', '=', id).execute())],
  ]);
}

const numbers = (rows: readonly { readonly version: number | null }[]): number[] =>
  rows.flatMap(({ version }) => (version === null ? [] : [version]));

/** The first reason counts. */
function inOrder(reasons: readonly (readonly [KeptReason, readonly number[]])[]): Uses {
  const uses = new Map<number, KeptReason>();
  for (const [reason, versions] of reasons)
    for (const version of versions) if (!uses.has(version)) uses.set(version, reason);
  return uses;
}

type Removals = Pick<RetentionRepository, 'removeVersions' | 'removeSnapshots'>;

const removalsOf = (db: Kysely<Tables>, tenant_id: string): Removals => ({
  async removeVersions({ id, versions, now }) {
    const digestsIn = async (table: 'config_version_renditions' | 'config_version_files') => {
      // Not distinct in SQL: SQLite would walk through the index of all digests for that.
      const rows = await db
        .selectFrom(table)
        .select('digest')
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', id)
        .where('version', 'in', versions)
        .execute();
      return [...new Set(rows.map(({ digest }) => digest))];
    };
    const renditions = await digestsIn('config_version_renditions');
    const files = await digestsIn('config_version_files');
    await db
      .insertInto('removed_config_versions')
      .values(versions.map((version) => ({ tenant_id, config_id: id, version, removed_at: now })))
      .onConflict((conflict) => conflict.columns(['tenant_id', 'config_id', 'version']).doNothing())
      .execute();
    await db
      .deleteFrom('config_versions')
      .where('tenant_id', '=', tenant_id)
      .where('config_id', '=', id)
      .where('version', 'in', versions)
      .execute();
    await removeRenditions(db, tenant_id, renditions);
    await removeBlobs(db, tenant_id, files, now);
  },
  async removeSnapshots({ id, versions }) {
    await db
      .deleteFrom('subscription_versions')
      .where('tenant_id', '=', tenant_id)
      .where('subscription_id', '=', id)
      .where('version', 'in', versions)
      .execute();
  },
});

async function removeBlobs(
  db: Kysely<Tables>,
  tenant_id: string,
  digests: readonly string[],
  now: string,
): Promise<void> {
  if (digests.length === 0) return;
  const usedIn = (table: 'config_version_files' | 'rule_sets') =>
    db
      .selectFrom(table)
      .select((select) => select.ref('digest').$castTo<string>().as('digest'))
      .where('tenant_id', '=', tenant_id)
      .where('digest', 'in', digests);
  await db
    .deleteFrom('blobs')
    .where('tenant_id', '=', tenant_id)
    .where('digest', 'in', digests)
    .where('held_until', '<', now)
    .where('digest', 'not in', usedIn('config_version_files'))
    .where('digest', 'not in', usedIn('rule_sets'))
    .execute();
}
