import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { sql, type Kysely } from 'kysely';
import { compress, decompress, isWorthPacking, largestPacked, pack, unpack } from './compressed.ts';
import type { Row, Tables } from './schema.ts';

/**
 * Content as a row keeps it: zstd, by itself or with a keyframe as dictionary. Keyframes are rows of their own, so that
 * any content may go without regard to others; a keyframe that is named by one cannot be deleted.
 */
export interface StoredContent {
  readonly content: Uint8Array;
  /** The keyframe it was packed with; null: none is needed. */
  readonly base: number | null;
}

export interface ContentStore {
  /**
   * What to store. Contents of one `line` follow from one another, as the versions of one config do; without a line it
   * stands alone. Call it in the transaction that stores the row.
   */
  pack(bytes: Uint8Array, line?: string): Promise<StoredContent>;
  /** The same of what is zstd already; what is large stays as it is. */
  repack(content: Uint8Array, line: string): Promise<StoredContent>;
  /** The exact bytes. @throws ProblemError `internal.error` when they are not those of the digest */
  unpack(stored: StoredContent, digest?: string): Promise<Buffer>;
  /** The same of many, which share most of their keyframes. */
  unpackAll(stored: readonly StoredContent[]): Promise<Buffer[]>;
  /** zstd that needs no keyframe, for those who know none. */
  alone(stored: StoredContent, digest: string): Promise<Uint8Array>;
  /** Deletes keyframes that no content needs, looking at `limit` of them; `after` is where it goes on, 0 at the end. */
  sweep(after: number, limit: number): Promise<{ readonly after: number; readonly removed: number }>;
}

/** Contents of one keyframe, at most: what a fault in one can cost has an end. */
const maxUses = 100;
/** A content whose difference is a larger part of it is a better keyframe than what it was packed with. */
const worstShare = 1 / 3;
/** Differences grow from one content to the next. A smaller part than this is not what grew. */
const freeShare = 1 / 32;

/** Where rows name keyframes. */
const bases = [
  ['renditions', 'base'],
  ['blobs', 'base'],
  ['config_versions', 'base'],
  ['subscription_versions', 'base'],
  ['subscription_versions', 'content_base'],
] as const;

type Keyframe = Pick<Row<'keyframes'>, 'id' | 'size' | 'content'>;

/** Reads and begins keyframes. */
function keyframesOf(db: Kysely<Tables>, tenant_id: string) {
  const keyframe = async (id: number): Promise<Buffer> => {
    const query = db.selectFrom('keyframes').select('content').where('tenant_id', '=', tenant_id);
    const row = await query.where('id', '=', id).executeTakeFirst();
    if (!row) throw damaged(`keyframe ${id} is not there`);
    return decompress(row.content);
  };
  const newest = async (
    line: string,
  ): Promise<(Keyframe & { readonly uses: number; readonly spent: number }) | undefined> =>
    await db
      .selectFrom('keyframe_lines as lines')
      .innerJoin('keyframes', 'keyframes.id', 'lines.keyframe')
      .select(['keyframes.id', 'keyframes.size', 'keyframes.content', 'lines.uses', 'lines.spent'])
      .where('lines.tenant_id', '=', tenant_id)
      .where('lines.line', '=', line)
      .executeTakeFirst();
  const use = async (line: string, of: { keyframe: number; uses: number; spent: number }): Promise<void> => {
    await db
      .insertInto('keyframe_lines')
      .values({ tenant_id, line, ...of })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'line']).doUpdateSet(of))
      .execute();
  };
  const begin = async (line: string, bytes: Uint8Array): Promise<StoredContent> => {
    const { id } = await db
      .insertInto('keyframes')
      .values({ tenant_id, size: bytes.length, content: compress(bytes) })
      .returning('id')
      .executeTakeFirstOrThrow();
    await use(line, { keyframe: id, uses: 1, spent: 0 });
    return { content: pack(bytes, bytes), base: id };
  };

  return { keyframe, newest, use, begin };
}

/** `served` keeps what agents fetch at the moment, since all of them fetch the same. */
export function createContentStore(db: Kysely<Tables>, tenant_id: string, served: ServedContents): ContentStore {
  const { keyframe, newest, use, begin } = keyframesOf(db, tenant_id);
  return {
    async pack(bytes, line) {
      if (line === undefined || !isWorthPacking(bytes.length)) return { content: compress(bytes), base: null };
      const last = await newest(line);
      if (!last || last.uses >= maxUses) return await begin(line, bytes);
      const content = pack(bytes, decompress(last.content));
      // What it would take by itself, as the keyframe tells without compressing it a second time.
      const plain = (last.content.length / last.size) * bytes.length;
      if (content.length > plain * worstShare) return await begin(line, bytes);
      // What differences cost together is weighed against the keyframe that would make them small again.
      const spent = last.spent + Math.max(0, Math.round(content.length - plain * freeShare));
      if (spent > plain) return await begin(line, bytes);
      await use(line, { keyframe: last.id, uses: last.uses + 1, spent });
      return { content, base: last.id };
    },
    async repack(content, line) {
      const bytes = content.length > largestPacked / 4 ? undefined : decompress(content);
      if (bytes === undefined || !isWorthPacking(bytes.length)) return { content, base: null };
      return await this.pack(bytes, line);
    },
    async unpackAll(stored) {
      const known = new Map<number, Buffer>();
      const all: Buffer[] = [];
      for (const { content, base } of stored) {
        const dictionary = base === null ? undefined : (known.get(base) ?? (await keyframe(base)));
        if (base !== null && dictionary) known.set(base, dictionary);
        all.push(dictionary ? read(content, dictionary) : decompress(content));
      }
      return all;
    },
    async unpack(stored, digest) {
      if (stored.base === null) return decompress(stored.content);
      const bytes = read(stored.content, await keyframe(stored.base));
      if (digest !== undefined && digestOf(bytes, sha256) !== digest) throw damaged(`${digest} has other bytes`);
      return bytes;
    },
    async alone(stored, digest) {
      if (stored.base === null) return stored.content;
      const known = served.get(digest);
      if (known) return known;
      const content = compress(await this.unpack(stored, digest));
      served.put(digest, content);
      return content;
    },
    sweep: async (after, limit) => await sweep(db, tenant_id, { after, limit }),
  };
}

async function sweep(
  db: Kysely<Tables>,
  tenant_id: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): ReturnType<ContentStore['sweep']> {
  const some = await db
    .selectFrom('keyframes')
    .select('id')
    .where('tenant_id', '=', tenant_id)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
  const ids = some.map(({ id }) => id);
  if (ids.length === 0) return { after: 0, removed: 0 };
  const used = new Set<number | null>();
  for (const where of bases) for (const base of await basesIn(db, where, ids)) used.add(base);
  const unused = ids.filter((id) => !used.has(id));
  if (unused.length > 0) await db.deleteFrom('keyframes').where('id', 'in', unused).execute();
  return { after: ids.length < limit ? 0 : (ids.at(-1) ?? 0), removed: unused.length };
}

async function basesIn(
  db: Kysely<Tables>,
  [table, column]: (typeof bases)[number],
  ids: readonly number[],
): Promise<(number | null)[]> {
  const base = sql<number>`${sql.ref(column)}`;
  const rows = await db.selectFrom(table).select(base.as('base')).distinct().where(base, 'in', ids).execute();
  return rows.map((row) => row.base);
}

function read(content: Uint8Array, dictionary: Uint8Array): Buffer {
  try {
    return unpack(content, dictionary);
  } catch (error) {
    throw damaged('the content does not fit its keyframe', error);
  }
}

const damaged = (detail: string, cause?: unknown): ProblemError =>
  new ProblemError('internal.error', `the stored content is damaged: ${detail}`, cause === undefined ? {} : { cause });

/** Contents that were made ready for agents, the last ones used. */
export interface ServedContents {
  get(digest: string): Uint8Array | undefined;
  put(digest: string, content: Uint8Array): void;
}

export function createServedContents(maxBytes = 16 * 1024 * 1024): ServedContents {
  const contents = new Map<string, Uint8Array>();
  let bytes = 0;
  const drop = (digest: string): void => {
    bytes -= contents.get(digest)?.length ?? 0;
    contents.delete(digest);
  };
  return {
    get(digest) {
      const content = contents.get(digest);
      if (!content) return undefined;
      // To the end of the order: it goes last.
      contents.delete(digest);
      contents.set(digest, content);
      return content;
    },
    put(digest, content) {
      drop(digest);
      if (content.length > maxBytes / 2) return;
      contents.set(digest, content);
      bytes += content.length;
      for (const oldest of contents.keys()) {
        if (bytes <= maxBytes) break;
        drop(oldest);
      }
    },
  };
}
