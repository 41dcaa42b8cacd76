import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { sql, type Kysely } from 'kysely';
import type { Tables } from '../src/database/schema.ts';
import type { Store } from '../src/database/store.ts';
import { inputs, rendition, versionRow } from './repository-rows.ts';

type Cell = string | number | null;

/** A row with these columns, and nothing in the others that may not be null. */
export async function insertRow(
  db: Kysely<Tables>,
  table: keyof Tables,
  row: Readonly<Record<string, Cell>>,
): Promise<void> {
  const { rows } = await sql<{ name: string; type: string; notnull: number; dflt_value: string | null }>`
    select name, type, "notnull", dflt_value from pragma_table_info(${table})`.execute(db);
  const blanks = rows
    .filter(({ notnull, dflt_value }) => notnull === 1 && dflt_value === null)
    .map(({ name, type }): [string, Cell] => [name, type === 'integer' ? 0 : '']);
  const whole = { ...Object.fromEntries(blanks), tenant_id: 'main', ...row };
  await db.insertInto(table).values(whole).execute();
}

export const textOf = (config: string, version: number): string =>
  JSON.stringify({ config, version, lines: Array.from({ length: 40 }, (_, line) => `${config} line ${line}`) });
export const digestOfText = (text: string): string => digestOf(Buffer.from(text), sha256);

export interface NewVersion {
  readonly config: string;
  readonly version: number;
  readonly at: string;
  readonly isDraft?: boolean;
  readonly isTagged?: boolean;
  readonly snapshots?: readonly { readonly subscription_id: string; readonly version: number }[];
}

/** A version with a rendition of its own and a file beside it. */
export async function addVersion(store: Store, { config, version, at, ...marks }: NewVersion): Promise<void> {
  const { isDraft = false, isTagged = false, snapshots = [] } = marks;
  const text = textOf(config, version);
  const nodes = Buffer.from(JSON.stringify({ nodes: text }));
  const file = { path: 'nodes.json', digest: digestOfText(nodes.toString()), size: nodes.length };
  await store.transaction(async (tx) => {
    await tx.configs.insertVersion({
      ...versionRow(config, version),
      inputs: { ...inputs, snapshots: snapshots.map((one) => ({ ...one, digest: 'sha256:x' })) },
      created_at: at,
      state: isDraft ? 'draft' : 'published',
      published_at: isDraft ? null : at,
      tags: isTagged ? ['kept'] : [],
    });
    await tx.blobs.add(file.digest, nodes, { line: `nodes of ${config}` });
    const made = { ...rendition(digestOfText(text)), size: text.length, files: [file] };
    await tx.configs.insertRendition({ config_id: config, version }, made, text);
    await tx.configs.update(config, { last_number: version, ...(isDraft ? {} : { version }) });
  });
}

/** What an order of a server says of a version. */
export const unitsOf = (config: string, version: number): string =>
  JSON.stringify({
    units: [{ name: 'main', config: { digest: digestOfText(textOf(config, version)), config_id: config, version } }],
  });
