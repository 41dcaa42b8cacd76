/** What the load program is started with, as JSON in its first argument. */
export interface LoadOptions {
  /** A mixed inbound on loopback. */
  readonly proxyPort: number;
  /** New connections that are begun each second, whatever became of those before. */
  readonly requestsPerSecond: number;
  /** Downloads that never end; one that is cut is opened anew. */
  readonly streams: number;
  /** Without the right answer after so long a request is lost. */
  readonly lostAfterMs: number;
}

/** Times are of `Date.now()`, so that they can be laid beside those of other processes. */
export type LoadMessage =
  | { readonly kind: 'ready'; readonly originPort: number }
  | { readonly kind: 'running' }
  | { readonly kind: 'lost'; readonly at: number; readonly ms: number; readonly why: string }
  | { readonly kind: 'cut'; readonly at: number; readonly openMs: number; readonly why: string }
  | { readonly kind: 'count'; readonly requests: number; readonly answered: number; readonly openStreams: number }
  | ({ readonly kind: 'report' } & LoadReport);

export interface LoadReport {
  readonly requests: number;
  readonly lost: number;
  readonly streamsCut: number;
  /** The longest that somebody who wanted something had to wait: see `longestGap`. */
  readonly gapMs: number;
  /** Of the answered ones, from the moment at which each was due. */
  readonly latencyMs: { readonly median: number; readonly p99: number; readonly max: number };
}

/** One request: when it was due, and when its answer was complete; undefined for a lost one. */
export interface Outcome {
  readonly dueMs: number;
  readonly answeredMs: number | undefined;
}

/**
 * The longest time without service that a user saw: of an answered request its latency, of lost ones the time from the
 * first of a row until the next request was answered. Its resolution is the distance between two requests.
 */
export function longestGap(outcomes: readonly Outcome[]): number {
  let longest = 0;
  let lostSince: number | undefined;
  for (const { dueMs, answeredMs } of outcomes.toSorted((a, b) => a.dueMs - b.dueMs)) {
    if (answeredMs === undefined) lostSince ??= dueMs;
    else {
      longest = Math.max(longest, answeredMs - (lostSince ?? dueMs));
      lostSince = undefined;
    }
  }
  const last = outcomes.at(-1);
  return lostSince === undefined || last === undefined ? longest : Math.max(longest, last.dueMs - lostSince);
}
