import { isoTime, ProblemError } from '@sbox/core';
import type { AuditEntry, AuditLine } from '@sbox/protocol';
import type { NamesRepository } from '../../database/names-repository.ts';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import type { AuditFilter } from './audit-repository.ts';

/** Of what entries are about: as it is called now, or was called when it was changed the last time. */
async function namesIn(entries: readonly AuditEntry[], names: NamesRepository): Promise<Map<string, string>> {
  const ids = new Set(
    entries.flatMap(({ object }) => Object.values(object)).filter((value) => typeof value === 'string'),
  );
  const said = entries
    .flatMap(({ change }) => change)
    .toReversed()
    .flatMap(({ data: { name, ...data } }) =>
      typeof name === 'string'
        ? Object.values(data).flatMap((value): [string, string][] =>
            typeof value === 'string' && ids.has(value) ? [[value, name]] : [],
          )
        : [],
    );
  return new Map([...said, ...(await names.of(ids))]);
}

export type AuditService = ReturnType<typeof createAuditService>;

/** Times are compared as text, so that they need one way of writing. */
const sameWay = (time: string | undefined): string | undefined =>
  time === undefined ? undefined : isoTime(Date.parse(time));

/** What was recorded, for people to read and to take away. */
export const createAuditService = ({ audit, names }: Pick<Store, 'audit' | 'names'>) => ({
  async list({ since, until, ...query }: PageQuery & AuditFilter) {
    const page = readPage(query);
    const rows = await audit.list({ ...query, ...page, since: sameWay(since), until: sameWay(until) });
    const found = toPage(rows, page.limit, ({ seq }) => [seq]);
    return { ...found, names: Object.fromEntries(await namesIn(found.items, names)) };
  },
  async get(seq: number) {
    const entry = await audit.find(seq);
    if (!entry) throw new ProblemError('audit-entry.not-found', `there is no entry ${seq}`);
    return entry;
  },
  async checkpoints(query: PageQuery) {
    const page = readPage(query);
    const { items, next_cursor } = toPage(await audit.listCheckpoints(page), page.limit, ({ seq }) => [seq]);
    return { items: items.map((row) => omit(row, 'public_key')), next_cursor };
  },
  /** Lines of JSON; fewer entries than `limit` are the end of the log. */
  async export({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Buffer> {
    const entries = await audit.following(after, limit);
    const isEnd = entries.length < limit;
    // At the end of the log those over entries that are not there any more, too.
    const upTo = isEnd ? Number.MAX_SAFE_INTEGER : (entries.at(-1)?.seq ?? after);
    const checkpoints = await audit.checkpointsWithin(after, upTo);
    const keys = new Map(checkpoints.map(({ keyid, public_key }) => [keyid, public_key]));
    const lines: AuditLine[] = [
      ...entries.map((entry) => ({ kind: 'entry' as const, entry: entry as never })),
      ...checkpoints.map((row) => ({ kind: 'checkpoint' as const, checkpoint: omit(row, 'public_key') })),
      ...[...keys].map(([keyid, public_key]) => ({ kind: 'key' as const, key: { keyid, public_key } })),
    ];
    return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  },
});
