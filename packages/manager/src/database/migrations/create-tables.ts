import type { CreateTableBuilder, Kysely } from 'kysely';

type Columns = Readonly<Record<string, 'text' | 'integer' | 'real' | 'bytes'>>;

export interface TableShape {
  /** `?` at the end of a name: may be null. */
  readonly columns: Columns;
  /** Beside `tenant_id`. */
  readonly key: readonly string[];
  readonly unique?: readonly string[];
  readonly indexes?: readonly (readonly string[])[];
  /** Columns, table they point to, its columns, and what happens when the row there is deleted. */
  readonly foreign?: readonly (readonly [
    columns: readonly string[],
    table: string,
    targets: readonly string[],
    onDelete: 'cascade' | 'restrict',
  ])[];
}

/** The column type for bytes: `blob` in SQLite, `bytea` in PostgreSQL. */
export type BytesType = 'blob' | 'bytea';

/** Makes tables with their indexes; every one begins with the tenant. */
export async function createTables(
  db: Kysely<unknown>,
  tables: Readonly<Record<string, TableShape>>,
  bytes: BytesType,
): Promise<void> {
  for (const [name, shape] of Object.entries(tables)) {
    await createTable(db, name, shape, bytes);
    for (const columns of shape.indexes ?? []) {
      await db.schema
        .createIndex(`${name}_by_${columns.join('_')}`)
        .on(name)
        .columns(['tenant_id', ...columns])
        .execute();
    }
  }
}

async function createTable(db: Kysely<unknown>, name: string, shape: TableShape, bytes: BytesType): Promise<void> {
  let table: CreateTableBuilder<string, string> = db.schema
    .createTable(name)
    .addColumn('tenant_id', 'text', (column) => column.notNull());
  for (const [column, type] of Object.entries(shape.columns)) {
    table = table.addColumn(column.replace('?', ''), type === 'bytes' ? (bytes as 'blob') : type, (built) =>
      column.endsWith('?') ? built : built.notNull(),
    );
  }
  table = table.addPrimaryKeyConstraint(`${name}_key`, ['tenant_id', ...shape.key]);
  if (shape.unique) table = table.addUniqueConstraint(`${name}_unique`, ['tenant_id', ...shape.unique]);
  for (const [columns, target, targets, onDelete] of shape.foreign ?? []) {
    table = table.addForeignKeyConstraint(
      `${name}_${columns.join('_')}`,
      ['tenant_id', ...columns],
      target,
      ['tenant_id', ...targets],
      (constraint) => constraint.onDelete(onDelete),
    );
  }
  await table.execute();
}
