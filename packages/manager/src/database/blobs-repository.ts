import type { Kysely } from 'kysely';
import { compress, decompress } from './compressed.ts';
import type { Tables } from './schema.ts';

/** Content by digest: rule-sets and the files of versions, each stored once. */
export interface BlobsRepository {
  add(digest: string, content: Uint8Array, held_until?: string): Promise<void>;
  /** Keeps them until then, whether anything names them or not. */
  hold(digests: readonly string[], until: string): Promise<void>;
  /** The exact bytes. */
  content(digest: string): Promise<Buffer | undefined>;
  /** The same, still compressed. */
  compressed(digest: string): Promise<Uint8Array | undefined>;
  /** Removes what neither a version nor a rule-set needs, and nobody holds any more. */
  removeUnused(now: string): Promise<void>;
}

export function createBlobsRepository(db: Kysely<Tables>, tenant_id: string): BlobsRepository {
  const compressed = async (digest: string): Promise<Uint8Array | undefined> => {
    const query = db.selectFrom('blobs').select('content').where('tenant_id', '=', tenant_id);
    return (await query.where('digest', '=', digest).executeTakeFirst())?.content;
  };
  return {
    async add(digest, content, held_until = '') {
      await db
        .insertInto('blobs')
        .values({ tenant_id, digest, size: content.length, content: compress(content), held_until })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'digest']).doNothing())
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
    compressed,
    async content(digest) {
      const bytes = await compressed(digest);
      return bytes && decompress(bytes);
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
