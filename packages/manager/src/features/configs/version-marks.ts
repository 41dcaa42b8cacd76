import type { PolicyFinding } from '@sbox/pipeline';
import type { Kysely, Updateable } from 'kysely';
import type { ConfigVersionRow, Tables } from '../../database/schema.ts';
import { removeRenditions } from './remove-renditions.ts';

export type VersionState = 'draft' | 'published';

/** What of a version may change after it was made. */
export interface VersionMarks {
  readonly state: VersionState;
  readonly tags: readonly string[];
  readonly notes: string;
  /** What the policies said when it was made, or published. */
  readonly findings: readonly PolicyFinding[];
  readonly revision: number;
  readonly published_at: string | null;
  readonly published_by: string | null;
}

export interface VersionName {
  readonly config_id: string;
  readonly version: number;
}

export interface MarksRepository {
  markVersion(of: VersionName, marks: Partial<VersionMarks>): Promise<void>;
  /** Versions with tags. */
  tagged(configId: string): Promise<{ version: number; tags: readonly string[]; revision: number }[]>;
  /** With the renditions that no other version has. */
  removeVersion(of: VersionName): Promise<void>;
}

/** A version that is published as it is made. */
export const publishedMarks = ({
  created_at,
  author,
}: {
  readonly created_at: string;
  readonly author: string;
}): VersionMarks => ({
  state: 'published',
  tags: [],
  notes: '',
  findings: [],
  revision: 1,
  published_at: created_at,
  published_by: author,
});

export function writeMarks<T extends Partial<VersionMarks>>({ tags, findings, ...marks }: T) {
  return {
    ...marks,
    ...(tags && { tags: JSON.stringify(tags) }),
    ...(findings && { findings: JSON.stringify(findings) }),
  } as Omit<T, 'tags' | 'findings'> & { tags: string; findings: string };
}

export const readMarks = (row: Pick<ConfigVersionRow, keyof VersionMarks>): VersionMarks => ({
  state: row.state as VersionState,
  tags: JSON.parse(row.tags) as string[],
  notes: row.notes,
  findings: JSON.parse(row.findings) as PolicyFinding[],
  revision: row.revision,
  published_at: row.published_at,
  published_by: row.published_by,
});

/** What may change of versions: whether they are published, their tags and notes, and whether a draft is there. */
export function marksOf(db: Kysely<Tables>, tenant_id: string): MarksRepository {
  return {
    async markVersion({ config_id, version }, marks) {
      const changes: Updateable<ConfigVersionRow> = writeMarks(marks);
      await db
        .updateTable('config_versions')
        .set(changes)
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', config_id)
        .where('version', '=', version)
        .execute();
    },
    async tagged(configId) {
      const rows = await db
        .selectFrom('config_versions')
        .select(['version', 'tags', 'revision'])
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', configId)
        .where('tags', '<>', '[]')
        .orderBy('version')
        .execute();
      return rows.map((row) => ({ ...row, tags: JSON.parse(row.tags) as string[] }));
    },
    async removeVersion({ config_id, version }) {
      const made = await db
        .selectFrom('config_version_renditions')
        .select('digest')
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', config_id)
        .where('version', '=', version)
        .execute();
      await db
        .deleteFrom('config_versions')
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', config_id)
        .where('version', '=', version)
        .execute();
      await removeRenditions(
        db,
        tenant_id,
        made.map(({ digest }) => digest),
      );
    },
  };
}
