import type { Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  environments: {
    columns: {
      name: 'text',
      description: 'text',
      color: 'text',
      freezes: 'text',
      revision: 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['name'],
  },
  assignments: {
    columns: {
      id: 'text',
      name: 'text',
      selector: 'text',
      'environment?': 'text',
      unit: 'text',
      config_id: 'text',
      'version?': 'integer',
      engine: 'text',
      revision: 'integer',
      created_at: 'text',
      updated_at: 'text',
    },
    key: ['id'],
    unique: ['name'],
    indexes: [['config_id'], ['environment']],
    foreign: [
      [['config_id'], 'configs', ['id'], 'restrict'],
      [['environment'], 'environments', ['name'], 'restrict'],
    ],
  },
};

/** Environments, labels of servers, and rules that say which servers a config is for. */
export const environments = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    const { schema } = db;
    // What a server was sent makes room for the rules, which have the better right to the word.
    await schema.dropIndex('assignments_by_config_id').execute();
    await schema.alterTable('assignments').renameTo('server_assignments').execute();
    await schema
      .createIndex('server_assignments_by_config_id')
      .on('server_assignments')
      .columns(['tenant_id', 'config_id'])
      .execute();
    await schema
      .alterTable('server_assignments')
      .addColumn('facts', 'text', (column) => column.notNull().defaultTo('{}'))
      .execute();
    for (const table of ['servers', 'join_tokens']) {
      await schema
        .alterTable(table)
        .addColumn('labels', 'text', (column) => column.notNull().defaultTo('{}'))
        .execute();
      await schema.alterTable(table).addColumn('environment', 'text').execute();
    }
    for (const column of ['override_freeze', 'newcomers_of'])
      await schema.alterTable('deployments').addColumn(column, 'text').execute();
    await schema
      .alterTable('deployments')
      .addColumn('assignments', 'text', (column) => column.notNull().defaultTo('[]'))
      .execute();
    await createTables(db, tables, bytes);
  },
});
