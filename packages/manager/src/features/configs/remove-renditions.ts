import type { Kysely } from 'kysely';
import type { Tables } from '../../database/schema.ts';

/**
 * Removes those of these renditions that no version has any more. Asks only about them: over all that is stored the same
 * question would hold up everybody.
 */
export async function removeRenditions(
  db: Kysely<Tables>,
  tenant_id: string,
  digests: readonly string[],
): Promise<void> {
  if (digests.length === 0) return;
  const used = db
    .selectFrom('config_version_renditions')
    .select('digest')
    .where('tenant_id', '=', tenant_id)
    .where('digest', 'in', digests);
  await db
    .deleteFrom('renditions')
    .where('tenant_id', '=', tenant_id)
    .where('digest', 'in', digests)
    .where('digest', 'not in', used)
    .execute();
}
