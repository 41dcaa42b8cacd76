import { isoTime, ProblemError, redact, redactedMark, type Clock, type NewId } from '@sbox/core';
import type { Node } from '@sbox/formats';
import { isWithin, type HeldBounds, type subscriptionWriteSchema } from '@sbox/protocol';
import type * as z from 'zod/mini';
import { readPage, toPage, type InProjects, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { refuseApart } from '../configs/projects.ts';
import { checkRevision } from '../if-match.ts';
import { readFacts } from './provider-facts.ts';
import { nextFetchAt, type Refresher } from './subscription-refresh.ts';
import { hideSource, readSource, type Source } from './subscription-source.ts';
import type { Fetch, LastFetch, Snapshot, Subscription } from './subscriptions-repository.ts';
import { unfollowed } from './unfollowed.ts';

export type SubscriptionWrite = z.output<typeof subscriptionWriteSchema>;
/** What a merge patch may leave out. */
export type SubscriptionChange = { readonly [K in keyof SubscriptionWrite]?: SubscriptionWrite[K] | undefined };

export interface SubscriptionsDeps {
  readonly store: Store;
  readonly refresher: Refresher;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly random: () => number;
  readonly changed: (subscriptionId: string) => void;
}

export type SubscriptionsService = ReturnType<typeof createSubscriptionsService>;

/** Sources of nodes. Everything that is shown hides its secrets unless `reveal` is set. */
export const createSubscriptionsService = (deps: SubscriptionsDeps) => ({
  ...readsOf(deps),
  ...writesOf(deps),
});

function readsOf({ store, refresher }: SubscriptionsDeps) {
  return {
    async list(query: PageQuery & InProjects) {
      const page = { ...readPage(query), projects: query.projects };
      const { items, next_cursor } = toPage(await store.subscriptions.list(page), page.limit, ({ name }) => [name]);
      return { items: await show(store, items), next_cursor };
    },
    get: async (id: string, reveal: boolean) => await showOne(store, id, reveal),
    async preview(source: Source, signal?: AbortSignal) {
      const { format, nodes, rejected } = await refresher.preview(readSource(source, undefined), signal);
      return { format, nodes: nodes.map(hideNode), rejected };
    },
    async nodes(id: string, reveal: boolean) {
      const row = await find(store, id);
      const version = row.pinned_version ?? row.version;
      if (version === null) throw new ProblemError('subscription.version-not-found', `${row.name} has no version yet`);
      const { nodes, rejected } = await parsed(store, row, version);
      return { version, items: nodes.map(reveal ? showNode : hideNode), rejected };
    },
    async fetches(id: string, query: PageQuery) {
      const page = readPage(query);
      const row = await find(store, id);
      const fetches = await store.subscriptions.listFetches(row.id, page);
      const { items, next_cursor } = toPage(fetches, page.limit, ({ number }) => [number]);
      return { items: items.map(showFetch), next_cursor };
    },
    async versions(id: string, query: PageQuery) {
      const page = readPage(query);
      const row = await find(store, id);
      const snapshots = await store.subscriptions.listVersions(row.id, page);
      const { items, next_cursor } = toPage(snapshots, page.limit, ({ version }) => [version]);
      return { items: items.map(showSnapshot), next_cursor };
    },
    async diff(id: string, to: number, against: number | undefined) {
      const row = await find(store, id);
      const from = against ?? to - 1;
      const [old, now] = [
        from === 0 ? [] : (await parsed(store, row, from)).nodes,
        (await parsed(store, row, to)).nodes,
      ];
      return { from, to, ...diffNodes(old, now) };
    },
  };
}

/** When the fetch that follows a write is made up for, should the manager die before it. */
const makeUpAt = (clock: Clock): string => isoTime(clock.now() + 60_000);

const unfetched = {
  revision: 1,
  version: null,
  pinned_version: null,
  nodes: 0,
  rejected: 0,
  usage: null,
  etag: null,
  last_modified: null,
};

function writesOf(deps: SubscriptionsDeps) {
  const { store, refresher, clock, newId } = deps;
  return {
    async add(given: SubscriptionWrite) {
      const now = isoTime(clock.now());
      const id = newId('sub');
      const { name, project, refresh_every, min_share } = given;
      const source = JSON.stringify(readSource(given.source, undefined));
      await store.transaction(async (tx) => {
        await refuseDouble(tx, name);
        await tx.subscriptions.insert({
          ...unfetched,
          id,
          name,
          project,
          source,
          refresh_every,
          min_share,
          created_at: now,
          updated_at: now,
          next_fetch_at: makeUpAt(clock),
        });
        await tx.events.add('subscription.created', { subscription_id: id, name });
      });
      await refresher.refresh(id);
      return await showOne(store, id);
    },
    async write(id: string, ifMatch: string, change: SubscriptionChange) {
      const { row, hasNewSource } = await store.transaction(
        async (tx) => await writeRow(deps, tx, id, ifMatch, change),
      );
      // Behind a fetch of the old source that may be running, instead of sharing its outcome.
      if (hasNewSource) await refresher.refreshDue(row.id);
      return await showOne(store, row.id);
    },
    async remove(id: string, ifMatch: string, bounds?: HeldBounds): Promise<void> {
      await store.transaction(async (tx) => {
        const row = await find(tx, id);
        checkRevision(ifMatch, row.revision);
        const using = await tx.configs.using(row.id);
        if (using.length > 0) {
          // Configs outside of the bounds count, and have no names.
          const inside = using.filter(({ project }) => isWithin(bounds, { projects: [project] }));
          const configs = inside.map(({ name }) => name);
          const others = using.length - inside.length;
          const who = [...configs.slice(0, 5), ...(others === 0 ? [] : [`${others} more`])].join(', ');
          throw new ProblemError('subscription.in-use', `${row.name} is used by ${who}`, { details: { configs } });
        }
        await tx.subscriptions.remove(row.id);
        await tx.events.add('subscription.deleted', { subscription_id: row.id, name: row.name });
      });
    },
    async refresh(id: string, accept: boolean) {
      const row = await find(store, id);
      return showFetch(await refresher.refresh(row.id, accept));
    },
    async pin(id: string, version: number | null) {
      const row = await store.transaction(async (tx) => {
        const found = await find(tx, id);
        if (version !== null) await parsed(tx, found, version);
        const changes = { pinned_version: version, revision: found.revision + 1, updated_at: isoTime(clock.now()) };
        await tx.subscriptions.update(found.id, changes);
        await unfollowed.add(tx.meta, found.id);
        await tx.events.add('subscription.pinned', { subscription_id: found.id, name: found.name, version });
        return found;
      });
      deps.changed(row.id);
      return await showOne(store, row.id);
    },
  };
}

async function show(store: Store, rows: readonly Subscription[], reveal = false) {
  const fetches = await store.subscriptions.lastFetches(rows.map(({ id }) => id));
  return rows.map((row) => toView(row, fetches.get(row.id), reveal));
}

async function showOne(store: Store, id: string, reveal = false) {
  const row = await find(store, id);
  const fetches = await store.subscriptions.lastFetches([row.id]);
  return toView(row, fetches.get(row.id), reveal);
}

type NodeView = Node & Record<string, unknown>;
const showNode = (node: Node): NodeView => ({ ...node });
const hideNode = (node: Node): NodeView => ({
  ...redact(node),
  // Nobody knows what a source put there.
  ...(node.extra ? { extra: Object.fromEntries(Object.keys(node.extra).map((key) => [key, redactedMark])) } : {}),
});
const showFetch = (fetch: Fetch) => omit(fetch, 'subscription_id', 'number');
const showSnapshot = (snapshot: Snapshot) => omit(snapshot, 'subscription_id');

async function find({ subscriptions }: Pick<Repositories, 'subscriptions'>, id: string): Promise<Subscription> {
  const row = await subscriptions.find(id);
  if (!row) throw new ProblemError('subscription.not-found', `subscription ${id}`);
  return row;
}

async function parsed(
  { subscriptions }: Pick<Repositories, 'subscriptions'>,
  { id, name }: Subscription,
  version: number,
) {
  const found = await subscriptions.parsed(id, version);
  if (!found) throw new ProblemError('subscription.version-not-found', `${name} has no version ${version}`);
  return found;
}

async function refuseDouble(tx: Repositories, name: string, id?: string): Promise<void> {
  const other = await tx.subscriptions.find(name);
  if (other && other.id !== id) throw new ProblemError('subscription.exists', `subscription ${name} exists`);
}

async function writeRow(
  deps: SubscriptionsDeps,
  tx: Repositories,
  id: string,
  ifMatch: string,
  { source: given, ...change }: SubscriptionChange,
): Promise<{ row: Subscription; hasNewSource: boolean }> {
  const row = await find(tx, id);
  checkRevision(ifMatch, row.revision);
  if (change.name !== undefined) await refuseDouble(tx, change.name, row.id);
  if (change.project !== undefined) refuseApart(row.name, change.project, await tx.configs.using(row.id));
  const stored = JSON.parse(row.source) as Source;
  const source = JSON.stringify(given === undefined ? stored : readSource(given, stored));
  const hasNewSource = source !== row.source;
  await tx.subscriptions.update(row.id, {
    name: change.name ?? row.name,
    project: change.project ?? row.project,
    refresh_every: change.refresh_every ?? row.refresh_every,
    min_share: change.min_share ?? row.min_share,
    source,
    revision: row.revision + 1,
    updated_at: isoTime(deps.clock.now()),
    next_fetch_at: hasNewSource
      ? isoTime(deps.clock.now())
      : nextFetchAt(deps, { refresh_every: change.refresh_every ?? row.refresh_every, source }),
    // Another source knows nothing of the old one's validators.
    ...(hasNewSource ? { etag: null, last_modified: null, usage: null } : {}),
  });
  await tx.events.add('subscription.edited', {
    subscription_id: row.id,
    name: change.name ?? row.name,
    changed: [
      ...(['name', 'project', 'refresh_every', 'min_share'] as const).filter(
        (key) => (change[key] ?? row[key]) !== row[key],
      ),
      ...(hasNewSource ? ['source'] : []),
    ],
  });
  return { row, hasNewSource };
}

function toView(row: Subscription, lastFetch: LastFetch | undefined, reveal: boolean) {
  const source = JSON.parse(row.source) as Source;
  return {
    ...omit(row, 'etag', 'last_modified'),
    source: reveal ? source : hideSource(source),
    ...readFacts(row.usage),
    last_fetch: lastFetch ?? null,
  };
}

function diffNodes(old: readonly Node[], now: readonly Node[]) {
  const before = new Map(old.map((node) => [node.id, node]));
  const after = new Map(now.map((node) => [node.id, node]));
  const renamed = [...after.values()].flatMap(({ id, tag }) => {
    const from = before.get(id)?.tag;
    return from === undefined || from === tag ? [] : [{ id, from, to: tag }];
  });
  const added = [...after.values()].filter(({ id }) => !before.has(id));
  return {
    added: added.map(hideNode),
    removed: [...before.values()].filter(({ id }) => !after.has(id)).map(hideNode),
    renamed,
    unchanged: after.size - added.length - renamed.length,
  };
}
