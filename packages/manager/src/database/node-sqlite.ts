import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

type Row = Record<string, SQLOutputValue>;

/**
 * Node's own SQLite, as kysely speaks to one. It is built without statistics of values (STAT4): a library that is built
 * with them plans most queries anew each time a parameter is bound, which took longer than to run them (ADR 16).
 */
export const forKysely = (database: DatabaseSync): SqliteDatabase => ({
  close: () => database.close(),
  prepare(sql): SqliteStatement {
    const statement = database.prepare(sql);
    const columns = statement.columns().map(({ name }) => name);
    const toRow = rowMaker(columns);
    const bind = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
    statement.setReturnArrays(true);
    return {
      reader: columns.length > 0,
      all: (parameters) => (statement.all(...bind(parameters)) as unknown as SQLOutputValue[][]).map(toRow),
      run: (parameters) => statement.run(...bind(parameters)),
      *iterate(parameters) {
        for (const values of statement.iterate(...bind(parameters))) yield toRow(values as unknown as SQLOutputValue[]);
      },
    };
  },
});

/**
 * Makes rows that share one shape. The objects that Node makes have a shape each, of a kilobyte, that stays until a full
 * collection; and an object that gets its fields one by one becomes a table after sixteen, so a whole one is copied.
 */
function rowMaker(columns: readonly string[]): (values: readonly SQLOutputValue[]) => Row {
  const empty = JSON.parse(JSON.stringify(Object.fromEntries(columns.map((name) => [name, null])))) as Row;
  return (values) => {
    const row = { ...empty };
    for (const [index, name] of columns.entries()) row[name] = values[index] ?? null;
    return row;
  };
}
