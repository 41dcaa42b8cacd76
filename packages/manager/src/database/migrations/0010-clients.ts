import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  clients: {
    columns: {
      id: 'text',
      name: 'text',
      config_id: 'text',
      title: 'text',
      note: 'text',
      enabled: 'integer',
      'expires_at?': 'text',
      hwid: 'text',
      update_interval_hours: 'integer',
      'usage?': 'text',
      'support_url?': 'text',
      'web_page_url?': 'text',
      announce: 'text',
      format: 'text',
      rules: 'text',
      token_sha256: 'text',
      rotation: 'integer',
      revision: 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
    indexes: [['config_id'], ['token_sha256']],
    foreign: [[['config_id'], 'configs', ['id'], 'restrict']],
  },
  client_devices: {
    columns: {
      client_id: 'text',
      hwid: 'text',
      os: 'text',
      os_version: 'text',
      model: 'text',
      user_agent: 'text',
      first_seen_at: 'text',
      seen_at: 'text',
    },
    key: ['client_id', 'hwid'],
    foreign: [[['client_id'], 'clients', ['id'], 'cascade']],
  },
  client_fetches: {
    columns: {
      client_id: 'text',
      number: 'integer',
      at: 'text',
      user_agent: 'text',
      'hwid?': 'text',
      'format?': 'text',
      rule: 'text',
      outcome: 'text',
      'version?': 'integer',
      left_out: 'integer',
    },
    key: ['client_id', 'number'],
    foreign: [[['client_id'], 'clients', ['id'], 'cascade']],
  },
  client_rules: {
    columns: { name: 'text', rules: 'text', revision: 'integer', updated_at: 'text' },
    key: ['name'],
  },
};

/** Who fetches a config as a subscription, and from which devices. */
export const clients = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
  },
});
