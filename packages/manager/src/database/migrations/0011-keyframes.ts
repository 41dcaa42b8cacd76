import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  // Which orders name a version, and which versions were made from a snapshot: retention asks it of thousands at a time.
  manifest_versions: {
    columns: { server_id: 'text', epoch: 'integer', generation: 'integer', config_id: 'text', version: 'integer' },
    key: ['server_id', 'epoch', 'generation', 'config_id', 'version'],
    indexes: [['config_id', 'version']],
    foreign: [[['server_id', 'epoch', 'generation'], 'manifests', ['server_id', 'epoch', 'generation'], 'cascade']],
  },
  config_version_snapshots: {
    columns: { config_id: 'text', version: 'integer', subscription_id: 'text', snapshot: 'integer' },
    key: ['config_id', 'version', 'subscription_id', 'snapshot'],
    indexes: [['subscription_id', 'snapshot']],
    foreign: [[['config_id', 'version'], 'config_versions', ['config_id', 'version'], 'cascade']],
  },
  removed_config_versions: {
    columns: { config_id: 'text', version: 'integer', removed_at: 'text' },
    key: ['config_id', 'version'],
    foreign: [[['config_id'], 'configs', ['id'], 'cascade']],
  },
};

/** Columns that name a keyframe. */
const bases = [
  ['renditions', 'base'],
  ['blobs', 'base'],
  ['config_versions', 'base'],
  ['subscription_versions', 'base'],
  ['subscription_versions', 'content_base'],
] as const;

/** Content that is stored as what differs from a keyframe; what retention has to know, and what it removed. */
export const keyframes = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createKeyframes(db, bytes);
    await createTables(db, tables, bytes);
    await db.schema
      .alterTable('config_versions')
      .addColumn('packed', bytes as 'blob')
      .execute();
    // A version that goes is looked for there, and one config may be on every server.
    await db.schema
      .createIndex('server_assignments_by_config_id_version')
      .on('server_assignments')
      .columns(['tenant_id', 'config_id', 'version'])
      .execute();
    for (const [table, column] of bases) await addBase(db, table, column);
    await fill(db);
  },
});

async function createKeyframes(db: Kysely<unknown>, bytes: BytesType): Promise<void> {
  // A number that is never used again: content can name a keyframe that is gone, but not another one by its name.
  await db.schema
    .createTable('keyframes')
    .addColumn('id', bytes === 'blob' ? 'integer' : 'serial', (column) =>
      bytes === 'blob' ? column.primaryKey().autoIncrement() : column.primaryKey(),
    )
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('size', 'integer', (column) => column.notNull())
    .addColumn('content', bytes as 'blob', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('keyframe_lines')
    .addColumn('tenant_id', 'text', (column) => column.notNull())
    .addColumn('line', 'text', (column) => column.notNull())
    .addColumn('keyframe', 'integer', (column) => column.notNull().references('keyframes.id').onDelete('cascade'))
    .addColumn('uses', 'integer', (column) => column.notNull())
    .addColumn('spent', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('keyframe_lines_key', ['tenant_id', 'line'])
    .execute();
  await db.schema.createIndex('keyframe_lines_by_keyframe').on('keyframe_lines').column('keyframe').execute();
}

/** Nullable, as SQLite wants a column that is added with a reference; what is there needs no keyframe. */
async function addBase(db: Kysely<unknown>, table: string, column: string): Promise<void> {
  await db.schema
    .alterTable(table)
    .addColumn(column, 'integer', (built) => built.references('keyframes.id'))
    .execute();
  await db.schema.createIndex(`${table}_by_${column}`).on(table).column(column).execute();
}

interface Filled {
  manifests: { tenant_id: string; server_id: string; epoch: number; generation: number; units: string };
  config_versions: { tenant_id: string; config_id: string; version: number; inputs: string };
}

interface Inputs {
  readonly snapshots?: readonly { readonly subscription_id: string; readonly version: number }[];
}

/** The indexes of what is there already. */
async function fill(db: Kysely<unknown>): Promise<void> {
  const { rows: manifests } = await sql<Filled['manifests']>`
    select tenant_id, server_id, epoch, generation, units from manifests`.execute(db);
  for (const { tenant_id, server_id, epoch, generation, units } of manifests) {
    const orders = (JSON.parse(units) as { units?: readonly { config?: { config_id?: string; version?: number } }[] })
      .units;
    for (const { config } of orders ?? []) {
      if (config?.config_id === undefined || config.version === undefined) continue;
      await sql`insert into manifest_versions (tenant_id, server_id, epoch, generation, config_id, version)
        values (${tenant_id}, ${server_id}, ${epoch}, ${generation}, ${config.config_id}, ${config.version})
        on conflict do nothing`.execute(db);
    }
  }
  const { rows: versions } = await sql<Omit<Filled['config_versions'], 'inputs'>>`
    select tenant_id, config_id, version from config_versions`.execute(db);
  for (const { tenant_id, config_id, version } of versions) {
    const { rows } = await sql<Pick<Filled['config_versions'], 'inputs'>>`select inputs from config_versions
      where tenant_id = ${tenant_id} and config_id = ${config_id} and version = ${version}`.execute(db);
    const { snapshots = [] } = JSON.parse(rows[0]?.inputs ?? '{}') as Inputs;
    for (const snapshot of snapshots)
      await sql`insert into config_version_snapshots (tenant_id, config_id, version, subscription_id, snapshot)
        values (${tenant_id}, ${config_id}, ${version}, ${snapshot.subscription_id}, ${snapshot.version})
        on conflict do nothing`.execute(db);
  }
}
