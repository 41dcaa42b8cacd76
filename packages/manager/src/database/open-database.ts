import { chmod } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { ProblemError } from '@sbox/core';
import { CompiledQuery, Kysely, SqliteAdapter, SqliteDialect, type DatabaseConnection, type Dialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { cachedStatements } from './cached-statements.ts';
import { initial } from './migrations/0001-initial.ts';
import { pipelines } from './migrations/0002-pipelines.ts';
import { agentKeys } from './migrations/0003-agent-keys.ts';
import { engines } from './migrations/0004-engines.ts';
import { audit } from './migrations/0005-audit.ts';
import { people } from './migrations/0006-people.ts';
import { environments } from './migrations/0007-environments.ts';
import { settingLayers } from './migrations/0008-setting-layers.ts';
import { policies } from './migrations/0009-policies.ts';
import { clients } from './migrations/0010-clients.ts';
import { keyframes } from './migrations/0011-keyframes.ts';
import { scopes } from './migrations/0012-scopes.ts';
import { forKysely } from './node-sqlite.ts';
import type { Tables } from './schema.ts';

export interface OpenDatabase extends AsyncDisposable {
  readonly db: Kysely<Tables>;
}

const busyTimeoutMs = 5000;

/** The cache is in KiB when it is negative. */
const pragmas = ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON', 'cache_size = -16000'];

/**
 * Opens the file, or `:memory:`, and brings its schema up to date. What a transaction has committed survives a loss of
 * power (WAL with synchronous FULL). One that is shared with a manager that runs stays as that one made it.
 */
export async function openDatabase(file: string, { isShared = false } = {}): Promise<OpenDatabase> {
  const sqlite = new DatabaseSync(file, { timeout: busyTimeoutMs });
  const db = new Kysely<Tables>({
    dialect: lockingAtOnce(new SqliteDialect({ database: cachedStatements(forKysely(sqlite)) })),
  });
  try {
    // Before the first write, so that the WAL gets the same mode.
    if (file !== ':memory:') await chmod(file, 0o600);
    for (const pragma of pragmas) sqlite.exec(`pragma ${pragma}`);
    await migrate(db, isShared);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return { db, [Symbol.asyncDispose]: async () => await db.destroy() };
}

/** SQLite changes schemas in transactions like anything else; kysely does not count on it. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * All migrations are one transaction: a manager that is killed in the middle leaves the schema that was there, whole.
 * Transactions take the lock of writers when they begin. One that read before it writes cannot wait for another process
 * (`sboxmgr rescue` beside a manager): SQLite refuses it at once, whatever the busy timeout is.
 */
const lockingAtOnce = (dialect: Dialect): Dialect => ({
  createAdapter: () => new TransactionalAdapter(),
  createIntrospector: (db) => dialect.createIntrospector(db),
  createQueryCompiler: () => dialect.createQueryCompiler(),
  createDriver: () =>
    Object.assign(dialect.createDriver(), {
      beginTransaction: async (connection: DatabaseConnection) =>
        void (await connection.executeQuery(CompiledQuery.raw('begin immediate'))),
    }),
});

async function migrate(db: Kysely<Tables>, isShared: boolean): Promise<void> {
  const migrations = {
    '0001-initial': initial('blob'),
    '0002-pipelines': pipelines('blob'),
    '0003-agent-keys': agentKeys(),
    '0004-engines': engines('blob'),
    '0005-audit': audit('blob', 'sqlite'),
    '0006-people': people('blob'),
    '0007-environments': environments('blob'),
    '0008-setting-layers': settingLayers('blob'),
    '0009-policies': policies('blob'),
    '0010-clients': clients('blob'),
    '0011-keyframes': keyframes('blob'),
    '0012-scopes': scopes('blob'),
  };
  const migrator = new Migrator({ db, provider: { getMigrations: async () => await Promise.resolve(migrations) } });
  if (isShared) {
    const known = await migrator.getMigrations();
    if (known.every(({ executedAt }) => executedAt !== undefined)) return;
    throw new ProblemError('manager.running', 'the manager that runs on this data is of an older version');
  }
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw new ProblemError('settings.invalid', 'the database is not one of this version of sbox', {
    fix: 'Use the version of sbox that wrote it, or a newer one.',
    cause: error,
  });
}
