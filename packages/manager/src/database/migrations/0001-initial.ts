import type { CreateTableBuilder, Kysely } from 'kysely';
import type { Tables } from '../schema.ts';

type Columns = Readonly<Record<string, 'text' | 'integer' | 'real' | 'bytes'>>;

interface TableShape {
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

const tables: Readonly<Record<keyof Tables, TableShape>> = {
  meta: { columns: { key: 'text', value: 'text' }, key: ['key'] },
  subscriptions: {
    columns: {
      id: 'text',
      name: 'text',
      source: 'text',
      refresh_every: 'text',
      min_share: 'real',
      revision: 'integer',
      'version?': 'integer',
      'pinned_version?': 'integer',
      nodes: 'integer',
      rejected: 'integer',
      'usage?': 'text',
      'etag?': 'text',
      'last_modified?': 'text',
      'next_fetch_at?': 'text',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
    indexes: [['next_fetch_at']],
  },
  subscription_versions: {
    columns: {
      subscription_id: 'text',
      version: 'integer',
      digest: 'text',
      format: 'text',
      nodes: 'integer',
      rejected: 'integer',
      parsed: 'bytes',
      content: 'bytes',
      created_at: 'text',
    },
    key: ['subscription_id', 'version'],
    foreign: [[['subscription_id'], 'subscriptions', ['id'], 'cascade']],
  },
  fetches: {
    columns: {
      subscription_id: 'text',
      number: 'integer',
      id: 'text',
      at: 'text',
      outcome: 'text',
      'version?': 'integer',
      'status?': 'integer',
      bytes: 'integer',
      duration_ms: 'integer',
      'code?': 'text',
      'detail?': 'text',
    },
    key: ['subscription_id', 'number'],
    foreign: [[['subscription_id'], 'subscriptions', ['id'], 'cascade']],
  },
  configs: {
    columns: {
      id: 'text',
      name: 'text',
      engine: 'text',
      settings: 'text',
      auto_deploy: 'integer',
      revision: 'integer',
      'version?': 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
  },
  config_subscriptions: {
    columns: { config_id: 'text', position: 'integer', subscription_id: 'text' },
    key: ['config_id', 'position'],
    indexes: [['subscription_id']],
    foreign: [
      [['config_id'], 'configs', ['id'], 'cascade'],
      [['subscription_id'], 'subscriptions', ['id'], 'restrict'],
    ],
  },
  config_versions: {
    columns: {
      config_id: 'text',
      version: 'integer',
      digest: 'text',
      inputs: 'text',
      nodes: 'integer',
      'rollback_of?': 'integer',
      author: 'text',
      message: 'text',
      created_at: 'text',
    },
    key: ['config_id', 'version'],
    foreign: [[['config_id'], 'configs', ['id'], 'cascade']],
  },
  renditions: { columns: { digest: 'text', size: 'integer', content: 'bytes' }, key: ['digest'] },
  config_version_renditions: {
    columns: {
      config_id: 'text',
      version: 'integer',
      profile: 'text',
      digest: 'text',
      outbounds: 'integer',
      left_out: 'text',
      once: 'text',
    },
    key: ['config_id', 'version', 'profile'],
    indexes: [['digest']],
    foreign: [
      [['config_id', 'version'], 'config_versions', ['config_id', 'version'], 'cascade'],
      [['digest'], 'renditions', ['digest'], 'restrict'],
    ],
  },
  servers: {
    columns: {
      id: 'text',
      name: 'text',
      'agent?': 'text',
      engines: 'text',
      revision: 'integer',
      'seen_at?': 'text',
      'status?': 'text',
      created_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
  },
  // No foreign key: a removed server is still known by its key, so that it is told that it was removed.
  agent_keys: {
    columns: {
      server_id: 'text',
      keyid: 'text',
      public_key: 'bytes',
      created_at: 'text',
      'revoked_at?': 'text',
    },
    key: ['server_id', 'keyid'],
  },
  join_tokens: {
    columns: {
      id: 'text',
      'name?': 'text',
      secret_sha256: 'text',
      created_at: 'text',
      expires_at: 'text',
      'used_at?': 'text',
      'used_keyid?': 'text',
      'server_id?': 'text',
    },
    key: ['id'],
  },
  assignments: {
    columns: { server_id: 'text', unit: 'text', config_id: 'text', version: 'integer' },
    key: ['server_id', 'unit'],
    indexes: [['config_id']],
    foreign: [
      [['server_id'], 'servers', ['id'], 'cascade'],
      [['config_id', 'version'], 'config_versions', ['config_id', 'version'], 'restrict'],
    ],
  },
  manifests: {
    columns: {
      server_id: 'text',
      epoch: 'integer',
      generation: 'integer',
      etag: 'text',
      envelope: 'bytes',
      units: 'text',
      created_at: 'text',
    },
    key: ['server_id', 'epoch', 'generation'],
    foreign: [[['server_id'], 'servers', ['id'], 'cascade']],
  },
  deployments: {
    columns: {
      id: 'text',
      config_id: 'text',
      version: 'integer',
      state: 'text',
      'reason?': 'text',
      author: 'text',
      message: 'text',
      created_at: 'text',
      'ended_at?': 'text',
    },
    key: ['id'],
    indexes: [['state'], ['created_at', 'id']],
    foreign: [[['config_id'], 'configs', ['id'], 'cascade']],
  },
  // No foreign key to servers: what happened stays readable when a server is gone.
  deployment_servers: {
    columns: {
      deployment_id: 'text',
      server_id: 'text',
      position: 'integer',
      name: 'text',
      state: 'text',
      epoch: 'integer',
      generation: 'integer',
      'sent_at?': 'text',
    },
    key: ['deployment_id', 'server_id'],
    indexes: [['server_id', 'state']],
    foreign: [[['deployment_id'], 'deployments', ['id'], 'cascade']],
  },
  events: {
    columns: { seq: 'integer', id: 'text', type: 'text', timestamp: 'text', source: 'text', data: 'text' },
    key: ['seq'],
  },
  access_tokens: {
    columns: {
      id: 'text',
      kind: 'text',
      name: 'text',
      secret_sha256: 'text',
      last4: 'text',
      permissions: 'text',
      created_at: 'text',
      'expires_at?': 'text',
      'last_used_at?': 'text',
      'revoked_at?': 'text',
    },
    key: ['id'],
  },
  idempotency_keys: {
    columns: {
      caller_id: 'text',
      key: 'text',
      request_digest: 'text',
      status: 'integer',
      answer: 'text',
      created_at: 'text',
    },
    key: ['caller_id', 'key'],
    indexes: [['created_at']],
  },
};

/** The whole schema as it began. `bytes` is the column type for bytes: `blob` in SQLite, `bytea` in PostgreSQL. */
export const initial = (bytes: 'blob' | 'bytea') => ({
  async up(db: Kysely<unknown>): Promise<void> {
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
  },
});

async function createTable(
  db: Kysely<unknown>,
  name: string,
  shape: TableShape,
  bytes: 'blob' | 'bytea',
): Promise<void> {
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
