import type { UnitFile } from '@sbox/protocol';
import type { Kysely } from 'kysely';
import type { ContentStore } from '../../database/content-store.ts';
import type { PageRequest } from '../../database/page.ts';
import type { Tables, VersionFileRow } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import type { LeftOut, VersionInputs, VersionRendition } from './rendering.ts';
import { addSnapshots, readInputs } from './version-contents.ts';
import { publishedMarks, readMarks, writeMarks, type VersionMarks } from './version-marks.ts';

export interface ConfigVersion extends VersionMarks {
  readonly config_id: string;
  readonly version: number;
  readonly digest: string;
  readonly inputs: VersionInputs;
  readonly nodes: number;
  readonly rollback_of: number | null;
  readonly author: string;
  readonly message: string;
  readonly created_at: string;
  readonly renditions: readonly VersionRendition[];
}

export interface VersionsRepository {
  /** Without marks it is published, as versions were before there were drafts. */
  insertVersion(version: Omit<ConfigVersion, 'renditions' | keyof VersionMarks> & Partial<VersionMarks>): Promise<void>;
  findVersion(configId: string, version: number): Promise<ConfigVersion | undefined>;
  /** When retention removed a version that was there. */
  removedAt(configId: string, version: number): Promise<string | undefined>;
  /** Newest first; `after` is [version]. */
  listVersions(configId: string, page: PageRequest): Promise<ConfigVersion[]>;
}

export interface ContentsRepository {
  insertRendition(
    of: Pick<ConfigVersion, 'config_id' | 'version'>,
    rendition: VersionRendition,
    text: string,
  ): Promise<void>;
  /** The exact bytes of a rendition. */
  content(digest: string): Promise<Buffer | undefined>;
  /** The same, still compressed. */
  compressedContent(digest: string): Promise<Uint8Array | undefined>;
}

/** Versions with the list of their renditions. */
export function versionsOf(db: Kysely<Tables>, tenant_id: string, contents: ContentStore): VersionsRepository {
  const versions = (configId: string) =>
    db.selectFrom('config_versions').selectAll().where('tenant_id', '=', tenant_id).where('config_id', '=', configId);
  const load = async (configId: string, rows: Awaited<ReturnType<ReturnType<typeof versions>['execute']>>) => {
    if (rows.length === 0) return [];
    const numbers = rows.map(({ version }) => version);
    const made = await renditionsOf(db, tenant_id, configId).where('made.version', 'in', numbers).execute();
    const byVersion = Map.groupBy(made, ({ version }) => version);
    const inputs = await readInputs(contents, rows);
    return rows.map((row, index): ConfigVersion => ({
      ...omit(row, 'tenant_id', 'packed', 'base'),
      ...readMarks(row),
      inputs: JSON.parse(inputs[index] ?? '') as VersionInputs,
      renditions: (byVersion.get(row.version) ?? []).map((rendition) => ({
        ...omit(rendition, 'version'),
        left_out: JSON.parse(rendition.left_out) as LeftOut[],
        once: JSON.parse(rendition.once) as string[],
        files: JSON.parse(rendition.files) as UnitFile[],
        differs: JSON.parse(rendition.differs) as VersionRendition['differs'],
      })),
    }));
  };

  return {
    async insertVersion({ inputs, ...row }) {
      const line = `inputs of ${row.config_id}`;
      const { content: packed, base } = await contents.pack(Buffer.from(JSON.stringify(inputs)), line);
      await db
        .insertInto('config_versions')
        .values({ ...row, ...writeMarks({ ...publishedMarks(row), ...row }), inputs: '', packed, base, tenant_id })
        .execute();
      await addSnapshots(db, { ...row, tenant_id }, inputs.snapshots);
      await addFiles(db, { ...row, tenant_id }, inputs.rule_sets ?? []);
    },
    findVersion: async (configId, version) =>
      (await load(configId, await versions(configId).where('version', '=', version).execute()))[0],
    async removedAt(configId, version) {
      const row = await db
        .selectFrom('removed_config_versions')
        .select('removed_at')
        .where('tenant_id', '=', tenant_id)
        .where('config_id', '=', configId)
        .where('version', '=', version)
        .executeTakeFirst();
      return row?.removed_at;
    },
    async listVersions(configId, { limit, after }) {
      let query = versions(configId)
        .orderBy('version', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('version', '<', Number(after[0]));
      return await load(configId, await query.execute());
    },
  };
}

/** Renditions and their exact bytes. */
export function contentsOf(db: Kysely<Tables>, tenant_id: string, contents: ContentStore): ContentsRepository {
  const storedContent = async (digest: string) => {
    const query = db.selectFrom('renditions').select(['content', 'base']).where('tenant_id', '=', tenant_id);
    return await query.where('digest', '=', digest).executeTakeFirst();
  };

  return {
    async insertRendition({ config_id, version }, { size, left_out, once, files, differs, ...rendition }, text) {
      if (!(await storedContent(rendition.digest))) {
        const stored = await contents.pack(Buffer.from(text), `${rendition.profile} of ${config_id}`);
        await db
          .insertInto('renditions')
          .values({ ...stored, tenant_id, digest: rendition.digest, size })
          .execute();
      }
      const lists = {
        left_out: JSON.stringify(left_out),
        once: JSON.stringify(once),
        files: JSON.stringify(files),
        differs: JSON.stringify(differs),
      };
      await db
        .insertInto('config_version_renditions')
        .values({ ...rendition, ...lists, tenant_id, config_id, version })
        .onConflict((conflict) =>
          conflict.columns(['tenant_id', 'config_id', 'version', 'profile', 'variant']).doNothing(),
        )
        .execute();
      await addFiles(db, { tenant_id, config_id, version }, files);
    },
    async compressedContent(digest) {
      const stored = await storedContent(digest);
      return stored && (await contents.alone(stored, digest));
    },
    async content(digest) {
      const stored = await storedContent(digest);
      return stored && (await contents.unpack(stored, digest));
    },
  };
}

const renditionsOf = (db: Kysely<Tables>, tenant_id: string, configId: string) =>
  db
    .selectFrom('config_version_renditions as made')
    .innerJoin('renditions', (join) =>
      join.onRef('renditions.tenant_id', '=', 'made.tenant_id').onRef('renditions.digest', '=', 'made.digest'),
    )
    .select(['made.version', 'profile', 'variant', 'differs', 'made.digest', 'size', 'outbounds', 'left_out', 'once'])
    .select('files')
    .where('made.tenant_id', '=', tenant_id)
    .where('made.config_id', '=', configId)
    // What everybody gets whom no layer is for comes first.
    .orderBy('variant')
    .orderBy('profile');

/** The blobs are there already; this keeps them. */
async function addFiles(
  db: Kysely<Tables>,
  { tenant_id, config_id, version }: Pick<VersionFileRow, 'tenant_id' | 'config_id' | 'version'>,
  files: readonly { readonly digest: string; readonly url?: string }[],
): Promise<void> {
  if (files.length === 0) return;
  await db
    .insertInto('config_version_files')
    .values(files.map(({ digest, url = '' }) => ({ tenant_id, config_id, version, digest, url })))
    .onConflict((conflict) => conflict.columns(['tenant_id', 'config_id', 'version', 'digest', 'url']).doNothing())
    .execute();
}
