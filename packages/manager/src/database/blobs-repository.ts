import type { Kysely } from 'kysely';
import type { ContentStore } from './content-store.ts';
import type { Tables } from './schema.ts';

/** Content by digest: rule-sets and the files of versions, each stored once. */
export interface BlobsRepository {
  /** Contents of one `line` follow from one another, and are stored as what differs. */
  add(
    digest: string,
    content: Uint8Array,
    how?: { readonly held_until?: string; readonly line?: string },
  ): Promise<void>;
  /** Keeps them until then, whether anything names them or not. */
  hold(digests: readonly string[], until: string): Promise<void>;
  /** The exact bytes. */
  content(digest: string): Promise<Buffer | undefined>;
  /** The same, still compressed. */
  compressed(digest: string): Promise<Uint8Array | undefined>;
  /** Removes what neither a version nor a rule-set needs, and nobody holds any more. */
  removeUnused(now: string): Promise<void>;
}

export function createBlobsRepository(db: Kysely<Tables>, tenant_id: string, contents: ContentStore): BlobsRepository {
  const find = async (digest: string) => {
    const query = db.selectFrom('blobs').select(['content', 'base']).where('tenant_id', '=', tenant_id);
    return await query.where('digest', '=', digest).executeTakeFirst();
  };
  return {
    async add(digest, content, { held_until = '', line } = {}) {
      if (await find(digest)) return;
      const stored = await contents.pack(content, line);
      await db
        .insertInto('blobs')
        .values({ ...stored, tenant_id, digest, size: content.length, held_until })
        .execute();
    },
    async hold(digests, until) {
      if (digests.length === 0) return;
      await db
        .updateTable('blobs')
        .set({ held_until: until })
        .where('tenant_id', '=', tenant_id)
        .where('digest', 'in', digests)
        .execute();
    },
    async compressed(digest) {
      const stored = await find(digest);
      return stored && (await contents.alone(stored, digest));
    },
    async content(digest) {
      const stored = await find(digest);
      return stored && (await contents.unpack(stored, digest));
    },
    async removeUnused(now) {
      const inVersions = db.selectFrom('config_version_files').select('digest').where('tenant_id', '=', tenant_id);
      const inRuleSets = db
        .selectFrom('rule_sets')
        .select('digest')
        .where('tenant_id', '=', tenant_id)
        .where('digest', 'is not', null);
      await db
        .deleteFrom('blobs')
        .where('tenant_id', '=', tenant_id)
        .where('held_until', '<', now)
        .where('digest', 'not in', inVersions)
        .where('digest', 'not in', inRuleSets as never)
        .execute();
    },
  };
}
