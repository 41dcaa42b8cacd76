import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** Far more than the manager has queries; lists of ids make one for each length. */
const maxStatements = 500;

/**
 * A database that keeps the statements it has prepared, by their text, and forgets the one that was not used for longest.
 * Measured: to prepare took as long as to run. A change of the schema forgets all, because columns may be others then.
 */
export function cachedStatements(database: SqliteDatabase): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>();
  return {
    close: () => {
      kept.clear();
      database.close();
    },
    prepare(sql) {
      if (changesSchema.test(sql)) kept.clear();
      const statement = kept.get(sql) ?? database.prepare(sql);
      // A map keeps the order of insertion: the newest is last.
      kept.delete(sql);
      kept.set(sql, statement);
      const [oldest] = kept.keys();
      if (kept.size > maxStatements && oldest !== undefined) kept.delete(oldest);
      return statement;
    },
  };
}

const changesSchema = /^\s*(?:create|alter|drop|pragma)\b/i;
