import type { Kysely } from 'kysely';
import type { ContentStore } from '../../database/content-store.ts';
import type { ConfigVersionRow, Tables, VersionSnapshotRow } from '../../database/schema.ts';
import type { VersionInputs } from './rendering.ts';

type StoredInputs = Pick<ConfigVersionRow, 'inputs' | 'packed' | 'base'>;

/** The inputs of versions, as text; those of before they were packed are there as they are. */
export async function readInputs(contents: ContentStore, rows: readonly StoredInputs[]): Promise<string[]> {
  const packed = rows.flatMap(({ packed: content, base }) => (content === null ? [] : [{ content, base }]));
  const texts = (await contents.unpackAll(packed)).values();
  return rows.map((row) => (row.packed === null ? row.inputs : (texts.next().value?.toString('utf8') ?? '')));
}

/** Retention asks by snapshot which versions need it. */
export async function addSnapshots(
  db: Kysely<Tables>,
  { tenant_id, config_id, version }: Pick<VersionSnapshotRow, 'tenant_id' | 'config_id' | 'version'>,
  snapshots: VersionInputs['snapshots'],
): Promise<void> {
  if (snapshots.length === 0) return;
  const rows = snapshots.map(({ subscription_id, version: snapshot }) => ({
    tenant_id,
    config_id,
    version,
    subscription_id,
    snapshot,
  }));
  const key = ['tenant_id', 'config_id', 'version', 'subscription_id', 'snapshot'] as const;
  await db
    .insertInto('config_version_snapshots')
    .values(rows)
    .onConflict((conflict) => conflict.columns(key).doNothing())
    .execute();
}
