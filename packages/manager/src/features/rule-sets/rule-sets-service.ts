import { digestOf, isoTime, parseDuration, ProblemError, redactText, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Store } from '../../database/store.ts';
import type { Content } from '../../fetching/content.ts';
import type { Fetcher } from '../../fetching/fetcher.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { RuleSetRef } from '../configs/rendering.ts';
import { readRuleSet, type RuleSetFormat } from './rule-set-content.ts';
import type { RuleSet } from './rule-sets-repository.ts';

export interface RuleSetsDeps {
  readonly store: Store;
  /** Limited to the size of a rule-set. */
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly queue: KeyedQueue;
  readonly log: Logger;
  /** A duration, as `1d`; 0 for never. */
  readonly refreshEvery: string;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
  /** Content changed: configs that have the old one may want a new version. */
  readonly changed: () => void;
}

export interface RefreshedRuleSet {
  readonly url: string;
  readonly outcome: 'changed' | 'unchanged' | 'failed';
  readonly code: string | null;
  readonly detail: string | null;
}

export interface RuleSets {
  /**
   * What a version made now has of these URLs, each once and in order; what never came is fetched first.
   * @throws ProblemError `rule-set.unavailable`
   */
  freeze(urls: readonly string[]): Promise<readonly RuleSetRef[]>;
  /** Fetches these, or all; an address that no config names fails. A bad answer is an outcome: the last good content stays. */
  refresh(urls?: readonly string[]): Promise<readonly RefreshedRuleSet[]>;
  /** Fetches what is due, and forgets what no config names any more. */
  refreshDue(): Promise<void>;
  list(query: PageQuery): Promise<{ items: readonly RuleSetView[]; next_cursor: string | null }>;
}

export type RuleSetView = ReturnType<typeof viewOf>;

const atOnce = 4;
const retryMs = 15 * 60_000;
/** A URL that was tried and not used by any version is forgotten after so long. */
const unusedMs = 24 * 60 * 60_000;
/** From freezing content until the version that has it is stored, which checks and engines may hold up. */
const heldMs = 60 * 60_000;
const mostAtOnce = 1000;

/** Rule-sets as the manager holds them, so that engines start without the network. */
export function createRuleSets(deps: RuleSetsDeps): RuleSets {
  const { store, clock, queue, changed } = deps;

  const refreshOne = async (url: string): Promise<RefreshedRuleSet> =>
    await queue.run(`rule-set ${url}`, async () => {
      const known = await store.ruleSets.find(url);
      return known ? await fetchOne(deps, known) : unknown(url);
    });
  /** Of several configs made at once, only the first fetches. */
  const fetchMissing = async (url: string): Promise<void> =>
    await queue.run(`rule-set ${url}`, async () => {
      // Due later, should the manager stop before it came.
      const now = clock.now();
      await store.ruleSets.insert({ ...newRuleSet(url, isoTime(now)), next_fetch_at: isoTime(now + retryMs) });
      const row = await store.ruleSets.find(url);
      if (row?.digest === null) await fetchOne(deps, row);
    });
  const refreshAll = async (urls: readonly string[]): Promise<RefreshedRuleSet[]> => {
    const results = await mapLimited(urls, atOnce, refreshOne);
    if (results.some(({ outcome }) => outcome === 'changed')) {
      await store.blobs.removeUnused(isoTime(clock.now()));
      changed();
    }
    return results;
  };

  return {
    async freeze(named) {
      const urls = [...new Set(named)];
      const known = new Set(
        (await store.ruleSets.findMany(urls)).flatMap(({ url, digest }) => (digest === null ? [] : [url])),
      );
      await mapLimited(
        urls.filter((url) => !known.has(url)),
        atOnce,
        fetchMissing,
      );
      // At once, so that nothing is tidied away between the look and the hold.
      return await store.transaction(async (tx) => {
        const rows = new Map((await tx.ruleSets.findMany(urls)).map((row) => [row.url, row]));
        const refs = urls.map((url) => refOf(url, rows.get(url)));
        const digests = [...new Set(refs.map(({ digest }) => digest))];
        await tx.blobs.hold(digests, isoTime(clock.now() + heldMs));
        return refs;
      });
    },
    async refresh(urls) {
      const all = (await store.ruleSets.list({ limit: mostAtOnce, after: undefined })).map(({ url }) => url);
      const wanted = urls && new Set(urls);
      const known = all.filter((url) => !wanted || wanted.has(url) || wanted.has(showUrl(url)));
      const names = new Set(known.flatMap((url) => [url, showUrl(url)]));
      const strangers = [...(wanted ?? [])].filter((url) => !names.has(url)).map(unknown);
      const results = [...(await refreshAll(known)), ...strangers];
      return results.map((result) => ({ ...result, url: showUrl(result.url) }));
    },
    async refreshDue() {
      if (everyMsOf(deps) === 0) return;
      const now = clock.now();
      const due = await store.ruleSets.due(isoTime(now), 2 * atOnce);
      if (due.length === 0) return;
      await store.ruleSets.removeUnused(isoTime(now - unusedMs), isoTime(now));
      await refreshAll(due.map(({ url }) => url));
    },
    async list(query) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.ruleSets.list(page), page.limit, ({ url }) => [url]);
      const users = await store.ruleSets.users(items.map(({ url }) => url));
      return { items: items.map((row) => viewOf(row, users.get(row.url) ?? [])), next_cursor };
    },
  };
}

const newRuleSet = (url: string, created_at: string): RuleSet => ({
  url,
  digest: null,
  size: null,
  format: null,
  etag: null,
  last_modified: null,
  fetched_at: null,
  checked_at: null,
  next_fetch_at: null,
  code: null,
  detail: null,
  created_at,
});

function refOf(url: string, row: RuleSet | undefined): RuleSetRef {
  if (row && row.digest !== null && row.size !== null)
    return { url, digest: row.digest, size: row.size, format: row.format as RuleSetFormat };
  const why = row?.detail ?? 'it was not fetched';
  throw new ProblemError('rule-set.unavailable', `${showUrl(url)}: ${why}`, {
    details: { url: showUrl(url), code: row?.code ?? null },
  });
}

const failed = (url: string, code: string, detail: string): RefreshedRuleSet => ({
  url,
  outcome: 'failed',
  code,
  detail,
});

const unknown = (url: string): RefreshedRuleSet => failed(url, 'rule-set.unavailable', 'no config names it');

async function fetchOne(deps: RuleSetsDeps, known: RuleSet): Promise<RefreshedRuleSet> {
  const { store, fetcher, clock, stopping } = deps;
  const { url, etag, last_modified } = known;
  const cached =
    known.digest === null ? {} : { ...(etag ? { etag } : {}), ...(last_modified ? { last_modified } : {}) };
  try {
    const answer = await fetcher.fetch({ url }, cached, stopping);
    const at = isoTime(clock.now());
    const good = { checked_at: at, next_fetch_at: nextFetchAt(deps, false), code: null, detail: null };
    if (answer.kind === 'not-modified') {
      await store.ruleSets.update(url, good);
      return { url, outcome: 'unchanged', code: null, detail: null };
    }
    const isNew = await take(deps, known, answer, good);
    return { url, outcome: isNew ? 'changed' : 'unchanged', code: null, detail: null };
  } catch (error) {
    stopping.throwIfAborted();
    if (!(error instanceof ProblemError)) deps.log.error('rule-set could not be read', errorFields(error));
    const [code, detail] =
      error instanceof ProblemError
        ? [error.code, redactText(error.message)]
        : (['internal.error', 'something broke inside; see the log'] as const);
    await store.transaction(async (tx) => {
      await tx.ruleSets.update(url, { code, detail, next_fetch_at: nextFetchAt(deps, true) });
      // Said once, not at every try.
      if (known.code !== code) await tx.events.add('rule-set.fetch-failed', { url: showUrl(url), code, detail });
    });
    return failed(url, code, detail);
  }
}

/** Keeps content that is a rule-set. @throws ProblemError `rule-set.invalid` */
async function take(
  { store }: RuleSetsDeps,
  { url, digest: before }: RuleSet,
  { bytes, headers }: Content,
  good: Partial<RuleSet> & { checked_at: string },
): Promise<boolean> {
  const format = await readRuleSet(bytes);
  const digest = digestOf(bytes, sha256);
  await store.transaction(async (tx) => {
    await tx.blobs.add(digest, bytes);
    await tx.ruleSets.update(url, {
      ...good,
      digest,
      size: bytes.length,
      format,
      etag: headers['etag'] ?? null,
      last_modified: headers['last-modified'] ?? null,
      ...(digest === before ? {} : { fetched_at: good.checked_at }),
    });
    if (digest !== before) await tx.events.add('rule-set.changed', { url: showUrl(url), digest });
  });
  return digest !== before;
}

const everyMsOf = ({ refreshEvery }: Pick<RuleSetsDeps, 'refreshEvery'>): number => parseDuration(refreshEvery) ?? 0;

/** ±10 %, so that all rule-sets of one place do not come at once. A failure is tried again sooner. */
function nextFetchAt(deps: RuleSetsDeps, isBad: boolean): string | null {
  const { clock, random } = deps;
  const everyMs = everyMsOf(deps);
  if (everyMs === 0) return null;
  return isoTime(clock.now() + (isBad ? Math.min(everyMs, retryMs) : everyMs) * (0.9 + 0.2 * random()));
}

/** Without what may be a secret: credentials and the query. */
export function showUrl(text: string): string {
  const url = URL.parse(text);
  return url ? `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?***'}` : '***';
}

function viewOf(
  { url, digest, size, format, fetched_at, checked_at, next_fetch_at, code, detail }: RuleSet,
  configs: readonly string[],
) {
  const problem = code === null ? null : { code, detail: detail ?? '' };
  const state = digest === null ? ('missing' as const) : problem ? ('stale' as const) : ('good' as const);
  return { url: showUrl(url), state, digest, size, format, fetched_at, checked_at, next_fetch_at, problem, configs };
}

/** A few at a time, in order. */
async function mapLimited<T, R>(items: readonly T[], limit: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += limit)
    results.push(...(await Promise.all(items.slice(start, start + limit).map(run))));
  return results;
}
