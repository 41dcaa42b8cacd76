import { sql, type Kysely } from 'kysely';
import { createTables, type BytesType, type TableShape } from './create-tables.ts';

const tables: Readonly<Record<string, TableShape>> = {
  blobs: {
    columns: { digest: 'text', size: 'integer', content: 'bytes', held_until: 'text' },
    key: ['digest'],
  },
  rule_sets: {
    columns: {
      url: 'text',
      'digest?': 'text',
      'size?': 'integer',
      'format?': 'text',
      'etag?': 'text',
      'last_modified?': 'text',
      'fetched_at?': 'text',
      'checked_at?': 'text',
      'next_fetch_at?': 'text',
      'code?': 'text',
      'detail?': 'text',
      created_at: 'text',
    },
    key: ['url'],
    indexes: [['next_fetch_at']],
    foreign: [[['digest'], 'blobs', ['digest'], 'restrict']],
  },
  config_version_files: {
    columns: { config_id: 'text', version: 'integer', digest: 'text', url: 'text' },
    key: ['config_id', 'version', 'digest', 'url'],
    indexes: [['url'], ['digest']],
    foreign: [
      [['config_id', 'version'], 'config_versions', ['config_id', 'version'], 'cascade'],
      [['digest'], 'blobs', ['digest'], 'restrict'],
    ],
  },
  templates: {
    columns: { name: 'text', version: 'integer', revision: 'integer', created_at: 'text', updated_at: 'text' },
    key: ['name'],
  },
  template_versions: {
    columns: {
      name: 'text',
      version: 'integer',
      digest: 'text',
      template: 'text',
      author: 'text',
      message: 'text',
      created_at: 'text',
    },
    key: ['name', 'version'],
    foreign: [[['name'], 'templates', ['name'], 'cascade']],
  },
};

/** Configs of before have what every config had: no operators, the one template, no tests. */
const recipeColumns = [
  ['pipeline', 'text', '[]'],
  ['template_name', 'text', 'mixed'],
  ['template', 'text', '{"params":{}}'],
  ['patch', 'text', '[]'],
  ['tests', 'text', '[]'],
  ['tests_block', 'integer', 1],
] as const;

/** Rule-sets and other files of versions, pipelines, templates and tests of configs. */
export const pipelines = (bytes: BytesType) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    await createTables(db, tables, bytes);
    // One column a statement: SQLite takes no more.
    for (const [name, type, value] of recipeColumns) {
      await db.schema
        .alterTable('configs')
        .addColumn(name, type, (column) => column.notNull().defaultTo(sql.lit(value)))
        .execute();
    }
    await db.schema
      .alterTable('config_version_renditions')
      .addColumn('files', 'text', (column) => column.notNull().defaultTo(sql.lit('[]')))
      .execute();
  },
});
