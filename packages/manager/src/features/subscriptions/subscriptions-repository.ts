import type { Node, Rejected } from '@sbox/formats';
import { redactedMark } from '@sbox/core';
import { sql, type Kysely, type Updateable } from 'kysely';
import { compress } from '../../database/compressed.ts';
import type { ContentStore } from '../../database/content-store.ts';
import type { InProjects, PageRequest } from '../../database/page.ts';
import { omit } from '../../omit.ts';
import type { FetchRow, SubscriptionRow, SubscriptionVersionRow, Tables } from '../../database/schema.ts';

export type Subscription = Omit<SubscriptionRow, 'tenant_id'>;
export type Snapshot = Omit<SubscriptionVersionRow, 'tenant_id' | 'parsed' | 'content' | 'base' | 'content_base'>;
export type Fetch = Omit<FetchRow, 'tenant_id'>;
/** What a subscription shows of its newest fetch. */
export type LastFetch = Pick<Fetch, 'at' | 'outcome' | 'code' | 'detail'>;
export type PackedSnapshot = Pick<SubscriptionVersionRow, 'parsed' | 'content'>;
export interface Parsed {
  readonly nodes: readonly Node[];
  readonly rejected: readonly Rejected[];
}

const keptFetches = 200;

/** All columns that a row has for others, but for its source. */
const shown = [
  'id',
  'name',
  'project',
  'refresh_every',
  'min_share',
  'revision',
  'version',
  'pinned_version',
  'nodes',
  'rejected',
  'usage',
  'etag',
  'last_modified',
  'next_fetch_at',
  'created_at',
  'updated_at',
] as const satisfies readonly Exclude<keyof Subscription, 'source'>[];

/** An inline text may be 16 MB; who reads many rows shows none of it. */
const sourceWithoutText = sql<string>`case when source like '{"type":"inline",%' then ${sql.lit(
  JSON.stringify({ type: 'inline', text: redactedMark }),
)} else source end`;

/** Subscriptions of one tenant with their snapshots and fetches. Lists hold one row more than the limit when there is one. */
export interface SubscriptionsRepository {
  insert(row: Subscription): Promise<void>;
  /** By id or by name. */
  find(idOrName: string): Promise<Subscription | undefined>;
  /** The text of inline sources is hidden. */
  findMany(ids: readonly string[]): Promise<Subscription[]>;
  /** By name, of these projects only; `after` is [name]. The text of inline sources is hidden. */
  list(page: PageRequest & InProjects): Promise<Subscription[]>;
  update(id: string, changes: Partial<Subscription>): Promise<void>;
  remove(id: string): Promise<void>;
  /** Those whose next fetch is due, the longest due first. */
  due(now: string, limit: number): Promise<Subscription[]>;
  count(): Promise<number>;
  /** With nodes and content as they are stored. */
  insertVersion(snapshot: Snapshot, packed: PackedSnapshot): Promise<void>;
  findVersion(id: string, version: number): Promise<Snapshot | undefined>;
  parsed(id: string, version: number): Promise<Parsed | undefined>;
  /** The same as zstd. */
  packed(id: string, version: number): Promise<Uint8Array | undefined>;
  /** The bytes as they came. */
  content(id: string, version: number): Promise<Buffer | undefined>;
  /** Newest first; `after` is [version]. */
  listVersions(id: string, page: PageRequest): Promise<Snapshot[]>;
  /** Numbers it and forgets all but the newest 200 of the subscription. */
  insertFetch(fetch: Omit<Fetch, 'number'>): Promise<void>;
  /** Newest first; `after` is [number]. */
  listFetches(id: string, page: PageRequest): Promise<Fetch[]>;
  lastFetches(ids: readonly string[]): Promise<Map<string, LastFetch>>;
}

export function createSubscriptionsRepository(
  db: Kysely<Tables>,
  tenant_id: string,
  contents: ContentStore,
): SubscriptionsRepository {
  const subscriptions = () => db.selectFrom('subscriptions').selectAll().where('tenant_id', '=', tenant_id);
  const bare = (row: SubscriptionRow): Subscription => omit(row, 'tenant_id');
  const many = () =>
    db
      .selectFrom('subscriptions')
      .select(shown)
      .select(sourceWithoutText.as('source'))
      .where('tenant_id', '=', tenant_id);
  return {
    async insert(row) {
      await db
        .insertInto('subscriptions')
        .values({ ...row, tenant_id })
        .execute();
    },
    async find(idOrName) {
      const rows = await subscriptions()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && bare(row);
    },
    async findMany(ids) {
      if (ids.length === 0) return [];
      return await many().where('id', 'in', ids).execute();
    },
    async list({ limit, after, projects }) {
      let query = many()
        .orderBy('name')
        .limit(limit + 1);
      if (projects) query = query.where('project', 'in', [...projects]);
      if (after) query = query.where('name', '>', String(after[0]));
      return await query.execute();
    },
    async update(id, changes) {
      await db
        .updateTable('subscriptions')
        .set(changes as Updateable<SubscriptionRow>)
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async remove(id) {
      await db.deleteFrom('subscriptions').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
    async due(now, limit) {
      const query = subscriptions().where('next_fetch_at', '<=', now).orderBy('next_fetch_at').limit(limit);
      return (await query.execute()).map(bare);
    },
    async count() {
      const row = await db
        .selectFrom('subscriptions')
        .select((select) => select.fn.countAll<number>().as('count'))
        .where('tenant_id', '=', tenant_id)
        .executeTakeFirstOrThrow();
      return row.count;
    },
    ...versionsOf(db, tenant_id, contents),
    ...fetchesOf(db, tenant_id),
  };
}

type Versions = Pick<
  SubscriptionsRepository,
  'insertVersion' | 'findVersion' | 'parsed' | 'packed' | 'content' | 'listVersions'
>;

function versionsOf(db: Kysely<Tables>, tenant_id: string, contents: ContentStore): Versions {
  const snapshots = (subscriptionId: string) =>
    db
      .selectFrom('subscription_versions')
      .select(['subscription_id', 'version', 'digest', 'format', 'nodes', 'rejected', 'created_at'])
      .where('tenant_id', '=', tenant_id)
      .where('subscription_id', '=', subscriptionId);
  const bytesOf = async (name: 'parsed' | 'content', id: string, version: number): Promise<Buffer | undefined> => {
    const row = await db
      .selectFrom('subscription_versions')
      .select([name, 'base', 'content_base'])
      .where('tenant_id', '=', tenant_id)
      .where('subscription_id', '=', id)
      .where('version', '=', version)
      .executeTakeFirst();
    const base = name === 'parsed' ? row?.base : row?.content_base;
    return row && (await contents.unpack({ content: row[name], base: base ?? null }));
  };
  return {
    async insertVersion(snapshot, { parsed, content }) {
      const nodes = await contents.repack(parsed, `nodes of ${snapshot.subscription_id}`);
      const raw = await contents.repack(content, `content of ${snapshot.subscription_id}`);
      await db
        .insertInto('subscription_versions')
        .values({
          ...snapshot,
          tenant_id,
          parsed: nodes.content,
          base: nodes.base,
          content: raw.content,
          content_base: raw.base,
        })
        .execute();
    },
    findVersion: async (id, version) => await snapshots(id).where('version', '=', version).executeTakeFirst(),
    async packed(id, version) {
      const bytes = await bytesOf('parsed', id, version);
      return bytes && compress(bytes);
    },
    async parsed(id, version) {
      const bytes = await bytesOf('parsed', id, version);
      return bytes && (JSON.parse(bytes.toString('utf8')) as Parsed);
    },
    content: async (id, version) => await bytesOf('content', id, version),
    async listVersions(id, { limit, after }) {
      let query = snapshots(id)
        .orderBy('version', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('version', '<', Number(after[0]));
      return await query.execute();
    },
  };
}

type Fetches = Pick<SubscriptionsRepository, 'insertFetch' | 'listFetches' | 'lastFetches'>;

function fetchesOf(db: Kysely<Tables>, tenant_id: string): Fetches {
  const newest = () =>
    db
      .selectFrom('fetches')
      .select((select) => ['tenant_id', 'subscription_id', select.fn.max('number').as('number')])
      .where('tenant_id', '=', tenant_id)
      .groupBy(['tenant_id', 'subscription_id']);
  const bare = (row: FetchRow): Fetch => omit(row, 'tenant_id');
  return {
    async insertFetch(fetch) {
      const last = await newest().where('subscription_id', '=', fetch.subscription_id).executeTakeFirst();
      const number = (last?.number ?? 0) + 1;
      await db
        .insertInto('fetches')
        .values({ ...fetch, tenant_id, number })
        .execute();
      await db
        .deleteFrom('fetches')
        .where('tenant_id', '=', tenant_id)
        .where('subscription_id', '=', fetch.subscription_id)
        .where('number', '<=', number - keptFetches)
        .execute();
    },
    async listFetches(id, { limit, after }) {
      let query = db
        .selectFrom('fetches')
        .selectAll()
        .where('tenant_id', '=', tenant_id)
        .where('subscription_id', '=', id)
        .orderBy('number', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('number', '<', Number(after[0]));
      return (await query.execute()).map(bare);
    },
    async lastFetches(ids) {
      if (ids.length === 0) return new Map();
      const rows = await db
        // With the tenant in the join SQLite looks each row up; without it, it reads the fetches of every subscription.
        .selectFrom(newest().where('subscription_id', 'in', ids).as('newest'))
        .innerJoin('fetches', (join) =>
          join
            .onRef('fetches.tenant_id', '=', 'newest.tenant_id')
            .onRef('fetches.subscription_id', '=', 'newest.subscription_id')
            .onRef('fetches.number', '=', 'newest.number'),
        )
        .select(['fetches.subscription_id', 'fetches.at', 'fetches.outcome', 'fetches.code', 'fetches.detail'])
        .execute();
      return new Map(rows.map(({ subscription_id, ...last }) => [subscription_id, last]));
    },
  };
}
