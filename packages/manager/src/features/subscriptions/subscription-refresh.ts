import { isoTime, parseDuration, ProblemError, redactText, type Clock, type NewId, type ProblemCode } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { decompressJson } from '../../database/compressed.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { Fetcher, FetchResult } from '../../fetching/fetcher.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { ContentReader } from './content-reader.ts';
import { providerFacts } from './provider-facts.ts';
import type { ReadContent } from './read-content.ts';
import type { Source } from './subscription-source.ts';
import type { Fetch, Parsed, Subscription } from './subscriptions-repository.ts';
import { unfollowed } from './unfollowed.ts';

export interface RefreshDeps {
  readonly store: Store;
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  readonly clock: Clock;
  readonly newId: NewId;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly queue: KeyedQueue;
  readonly read: ContentReader;
  readonly log: Logger;
  /** Aborts when the manager stops; what was being fetched then has no outcome. */
  readonly stopping: AbortSignal;
  /** A snapshot came that configs will use from now on. */
  readonly changed: (subscriptionId: string) => void;
}

export interface Refresher {
  /**
   * Fetches and takes what came if it is good. A bad answer is an outcome, not an error.
   * @throws ProblemError `subscription.not-found`
   */
  refresh(id: string, accept?: boolean): Promise<Fetch>;
  /** The same, unless another fetch came first and it is not due any more. */
  refreshDue(id: string): Promise<void>;
  /** What a source gives now; nothing is stored. @throws ProblemError `fetch.*`, `subscription.*` */
  preview(source: Source, signal?: AbortSignal): Promise<Parsed & { readonly format: string }>;
}

type Content = Extract<FetchResult, { kind: 'content' }>;
/** From the content that was taken last. */
type Validators = Partial<Pick<Subscription, 'etag' | 'last_modified'>>;
/** What a fetch came to, before the database is asked. */
type Result =
  | { readonly kind: 'not-modified'; readonly ms: number }
  | { readonly kind: 'good'; readonly content: Content; readonly good: ReadContent }
  | {
      readonly kind: 'bad';
      readonly code: ProblemCode;
      readonly detail: string;
      readonly ms: number;
      readonly content?: Content;
    };

const retryMs = 5 * 60_000;

export function createRefresher(deps: RefreshDeps): Refresher {
  const { store, queue, clock, changed, stopping } = deps;
  const running = new Map<string, Promise<Fetch>>();

  const once = async (id: string, accept: boolean): Promise<Fetch> => {
    const subscription = await store.subscriptions.find(id);
    if (!subscription) throw new ProblemError('subscription.not-found', `subscription ${id}`);
    const source = JSON.parse(subscription.source) as Source;
    const { id: subscriptionId, version, etag, last_modified } = subscription;
    const cached = accept ? {} : { etag, last_modified };
    const result = await load(deps, source, { id: subscriptionId, version, ...cached });
    const fetch = await store.transaction(async (tx) => await settle(deps, tx, subscription, result, accept));
    if (fetch.outcome === 'changed') changed(subscription.id);
    return fetch;
  };

  return {
    async refresh(id, accept = false) {
      const known = running.get(id);
      if (known && !accept) return await known;
      const mine = queue.run(`subscription ${id}`, async () => await once(id, accept));
      running.set(id, mine);
      try {
        return await mine;
      } finally {
        if (running.get(id) === mine) running.delete(id);
      }
    },
    async refreshDue(id) {
      await queue.run(`subscription ${id}`, async () => {
        const due = (await store.subscriptions.find(id))?.next_fetch_at ?? null;
        if (due !== null && Date.parse(due) <= clock.now()) await once(id, false);
      });
    },
    async preview(source, signal) {
      const result = await fetchSource(
        deps,
        source,
        undefined,
        signal ? AbortSignal.any([signal, stopping]) : stopping,
      );
      if (result.kind !== 'content') throw new ProblemError('fetch.failed', 'nothing came');
      const { format, parsed } = await deps.read(result.bytes, undefined, stopping);
      return { format, ...(decompressJson(parsed) as Parsed) };
    },
  };
}

async function fetchSource(
  { fetcher, clock }: RefreshDeps,
  source: Source,
  { etag, last_modified }: Validators = {},
  signal?: AbortSignal,
): Promise<FetchResult> {
  if (source.type === 'inline') {
    const startedMs = clock.monotonic();
    const bytes = Buffer.from(source.text);
    return { kind: 'content', status: 200, bytes, headers: {}, duration_ms: Math.round(clock.monotonic() - startedMs) };
  }
  const { type: _, ...request } = source;
  return await fetcher.fetch(
    request,
    { ...(etag ? { etag } : {}), ...(last_modified ? { last_modified } : {}) },
    signal,
  );
}

async function load(
  deps: RefreshDeps,
  source: Source,
  { id, version, ...cached }: Pick<Subscription, 'id' | 'version'> & Validators,
): Promise<Result> {
  const startedMs = deps.clock.monotonic();
  const ms = (): number => Math.round(deps.clock.monotonic() - startedMs);
  let content: Content | undefined;
  try {
    const result = await fetchSource(deps, source, cached, deps.stopping);
    if (result.kind === 'not-modified') return { kind: 'not-modified', ms: ms() };
    content = result;
    const before = version === null ? undefined : await deps.store.subscriptions.packed(id, version);
    return { kind: 'good', content, good: await deps.read(result.bytes, before, deps.stopping) };
  } catch (error) {
    deps.stopping.throwIfAborted();
    if (!(error instanceof ProblemError)) deps.log.error('subscription could not be read', errorFields(error));
    const [code, detail] =
      error instanceof ProblemError
        ? [error.code, redactText(error.message)]
        : (['internal.error', 'something broke inside; see the log'] as const);
    return { kind: 'bad', code, detail, ms: ms(), ...(content ? { content } : {}) };
  }
}

/** Writes down what a fetch came to, with its event, in one transaction. */
async function settle(
  deps: RefreshDeps,
  tx: Repositories,
  seen: Subscription,
  result: Result,
  accept: boolean,
): Promise<Fetch> {
  const { clock, newId } = deps;
  const now = isoTime(clock.now());
  const current = await tx.subscriptions.find(seen.id);
  if (!current) throw new ProblemError('subscription.not-found', `subscription ${seen.id}`);
  const content = result.kind === 'not-modified' ? undefined : result.content;
  const isOutdated = current.source !== seen.source;
  const verdict = isOutdated ? outdated : await judge(tx, current, result, accept);
  const fetch = {
    id: newId('fet'),
    subscription_id: seen.id,
    at: now,
    ...verdict,
    status: content?.status ?? (result.kind === 'not-modified' ? 304 : null),
    bytes: content?.bytes.length ?? 0,
    duration_ms: content?.duration_ms ?? ('ms' in result ? result.ms : 0),
  };
  await tx.subscriptions.insertFetch(fetch);
  // Nothing of it is about the new source, whose own fetch stays due.
  if (isOutdated) return { ...fetch, number: 0 };
  const isBad = verdict.outcome === 'failed' || verdict.outcome === 'quarantined';
  const facts = content && providerFacts(content.headers, result.kind === 'good' ? result.good.metadata : undefined);
  await tx.subscriptions.update(seen.id, {
    next_fetch_at: nextFetchAt(deps, current, isBad),
    ...(facts ? { usage: facts } : {}),
    // Validators of content that was set aside would make the next answer "not modified" and hide it.
    ...(result.kind === 'good' && !isBad
      ? { etag: result.content.headers['etag'] ?? null, last_modified: result.content.headers['last-modified'] ?? null }
      : {}),
  });
  if (verdict.outcome === 'changed' && result.kind === 'good') await takeSnapshot(tx, current, result, now);
  return { ...fetch, number: 0 };
}

type Verdict = Pick<Fetch, 'outcome' | 'version' | 'code' | 'detail'>;
const outdated: Verdict = {
  outcome: 'failed',
  version: null,
  code: 'precondition.failed',
  detail: 'the source was changed while it was fetched',
};

async function judge(tx: Repositories, current: Subscription, result: Result, accept: boolean): Promise<Verdict> {
  const { id, version, min_share, nodes: lastNodes } = current;
  if (result.kind === 'not-modified') return { outcome: 'not-modified', version, code: null, detail: null };
  const quarantine = async (nodes: number): Promise<Verdict> => {
    await tx.events.add('subscription.quarantined', { subscription_id: id, nodes, last_nodes: lastNodes });
    const detail = `${nodes} nodes came, the last good version has ${lastNodes}`;
    return { outcome: 'quarantined', version, code: 'subscription.quarantined', detail };
  };
  if (result.kind === 'bad') {
    const { code, detail } = result;
    if (code === 'subscription.no-nodes' && version !== null) return await quarantine(0);
    await tx.events.add('subscription.fetch-failed', { subscription_id: id, code, detail });
    return { outcome: 'failed', version, code, detail };
  }
  const last = version === null ? undefined : await tx.subscriptions.findVersion(id, version);
  if (last?.digest === result.good.digest) return { outcome: 'unchanged', version, code: null, detail: null };
  const count = result.good.nodes;
  if (!accept && count < min_share * lastNodes) return await quarantine(count);
  return { outcome: 'changed', version: (version ?? 0) + 1, code: null, detail: null };
}

async function takeSnapshot(
  tx: Repositories,
  current: Subscription,
  { good }: Extract<Result, { kind: 'good' }>,
  now: string,
): Promise<void> {
  const { id } = current;
  const { format, nodes, rejected, digest, added, removed, parsed, content } = good;
  const version = (current.version ?? 0) + 1;
  await tx.subscriptions.insertVersion(
    { subscription_id: id, version, digest, format, nodes, rejected, created_at: now },
    { parsed, content },
  );
  await tx.subscriptions.update(id, { version, nodes, rejected });
  await unfollowed.add(tx.meta, id);
  await tx.events.add('subscription.changed', { subscription_id: id, version, added, removed, rejected });
}

/** ±10 %, so that many subscriptions of one provider do not come at once. A failure is tried again sooner. */
export function nextFetchAt(
  { clock, random }: Pick<RefreshDeps, 'clock' | 'random'>,
  { refresh_every, source }: Pick<Subscription, 'refresh_every' | 'source'>,
  isBad = false,
): string | null {
  const everyMs = parseDuration(refresh_every) ?? 0;
  const isUrl = (JSON.parse(source) as Source).type === 'url';
  if (everyMs === 0 || !isUrl) return null;
  const waitMs = isBad ? Math.min(everyMs, retryMs) : everyMs;
  return isoTime(clock.now() + waitMs * (0.9 + 0.2 * random()));
}
