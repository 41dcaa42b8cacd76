import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  users: {
    columns: {
      id: 'text',
      name: 'text',
      display_name: 'text',
      password_hash: 'text',
      role: 'text',
      'totp_secret?': 'text',
      'totp_last_step?': 'integer',
      'totp_recovery?': 'text',
      'disabled_at?': 'text',
      'seen_at?': 'text',
      revision: 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
  },
  guesses: {
    columns: { user_id: 'text', place: 'text', failures: 'integer', 'locked_until?': 'text', guessed_at: 'text' },
    key: ['user_id', 'place'],
    foreign: [[['user_id'], 'users', ['id'], 'cascade']],
  },
  sessions: {
    columns: {
      id: 'text',
      secret_sha256: 'text',
      user_id: 'text',
      remote_address: 'text',
      user_agent: 'text',
      created_at: 'text',
      seen_at: 'text',
      expires_at: 'text',
    },
    key: ['id'],
    unique: ['secret_sha256'],
    indexes: [['user_id'], ['seen_at']],
    foreign: [[['user_id'], 'users', ['id'], 'cascade']],
  },
};

/** Users with their sessions, and who tries to guess their passwords; tokens that hold a role, and those that belong to a person. */
export const people = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    for (const column of ['role', 'user_id'])
      await db.schema.alterTable('access_tokens').addColumn(column, 'text').execute();
  },
});
