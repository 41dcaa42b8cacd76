import type { Clock } from '@sbox/core';

export interface ResolveOptions {
  readonly concurrency: number;
  /** For each host. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/** Looks one host up; its signal aborts when the time is over. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Looks hosts up, so many at a time. A host that fails or takes too long has no entry. The order of hosts is as given and
 * that of addresses always the same, whatever came first and however a server turns its answers: a config would
 * otherwise change with each look.
 * @throws the reason of the signal when it aborts
 */
export async function resolveHosts(
  hosts: Iterable<string>,
  lookup: Lookup,
  { concurrency, timeoutMs, clock, signal }: ResolveOptions,
): Promise<Map<string, readonly string[]>> {
  const asked = new Set(hosts);
  const found = new Map<string, readonly string[]>();
  const waiting = asked.values();
  const worker = async (): Promise<void> => {
    for (const host of waiting) {
      signal?.throwIfAborted();
      const addresses = await withinTime(host, lookup, { timeoutMs, clock, signal });
      if (addresses.length > 0) found.set(host, [...new Set(addresses)].toSorted());
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));
  signal?.throwIfAborted();
  return new Map(
    [...asked].flatMap((host) => [[host, found.get(host) ?? []] as const]).filter(([, { length }]) => length > 0),
  );
}

interface TimeLimit {
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

async function withinTime(host: string, lookup: Lookup, limit: TimeLimit): Promise<readonly string[]> {
  const over = new AbortController();
  const stop = limit.signal === undefined ? over.signal : AbortSignal.any([over.signal, limit.signal]);
  const none = (): readonly string[] => [];
  try {
    const late = limit.clock.sleep(limit.timeoutMs, stop).then(none, none);
    return await Promise.race([lookup(host, stop).catch(none), late]);
  } finally {
    over.abort();
  }
}
