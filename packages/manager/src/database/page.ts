import { ProblemError } from '@sbox/core';
import type { SelectQueryBuilder } from 'kysely';
import type { Tables } from './schema.ts';

/** Where a page begins: behind the row with these sort values. */
export type PageKey = readonly (string | number)[];

export interface PageRequest {
  readonly limit: number;
  readonly after: PageKey | undefined;
}

/** Undefined: of all. */
export interface InProjects {
  readonly projects?: ReadonlySet<string> | undefined;
}

/** What callers say about the page they want. */
export interface PageQuery {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The cursor is our own text; one that does not decode is the caller's mistake. */
export function readPage({ limit, cursor }: PageQuery, width = 1): PageRequest {
  if (cursor === undefined) return { limit, after: undefined };
  try {
    const key = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown;
    if (Array.isArray(key) && key.length === width && key.every((part) => ['string', 'number'].includes(typeof part)))
      return { limit, after: key as PageKey };
  } catch {
    // Answered below, like every other wrong cursor.
  }
  throw new ProblemError('request.invalid', 'the cursor is not one that this manager gave');
}

/** One row more than the limit was asked for; its presence says that there is a next page. */
export function toPage<T>(
  rows: readonly T[],
  limit: number,
  keyOf: (row: T) => PageKey,
): { items: T[]; next_cursor: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const next =
    rows.length > limit && last !== undefined ? Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') : null;
  return { items, next_cursor: next };
}

/** Tables whose rows are listed by when they were made. */
type Dated = 'deployments' | 'join_tokens' | 'setting_overrides';

/** One page and a row more, the newest first; `after` is [created_at, id]. */
export function newestFirst<T extends Dated, O>(rows: SelectQueryBuilder<Tables, T, O>, { limit, after }: PageRequest) {
  // Each of them has these columns, which the compiler does not follow through a parameter.
  const query = (rows as unknown as SelectQueryBuilder<Tables, Dated, O>)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (!after) return query;
  const [time, id] = after.map(String) as [string, string];
  return query.where((where) =>
    where.or([where('created_at', '<', time), where.and([where('created_at', '=', time), where('id', '<', id)])]),
  );
}
