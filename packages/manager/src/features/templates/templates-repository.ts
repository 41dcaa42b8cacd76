import type { Template } from '@sbox/protocol/pipeline';
import type { Kysely } from 'kysely';
import type { InProjects, PageRequest } from '../../database/page.ts';
import type { TemplateRow, TemplateVersionRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type StoredTemplate = Omit<TemplateRow, 'tenant_id'>;
export interface TemplateVersion extends Omit<TemplateVersionRow, 'tenant_id' | 'template'> {
  template: Template;
}

/** Templates of people, each with all its versions. */
export interface TemplatesRepository {
  insert(template: StoredTemplate): Promise<void>;
  find(name: string): Promise<StoredTemplate | undefined>;
  /** By name, of these projects only; `after` is [name]. */
  list(page: PageRequest & InProjects): Promise<StoredTemplate[]>;
  update(name: string, changes: Partial<Omit<StoredTemplate, 'name'>>): Promise<void>;
  /** With its versions. */
  remove(name: string): Promise<void>;
  insertVersion(version: TemplateVersion): Promise<void>;
  findVersion(name: string, version: number): Promise<TemplateVersion | undefined>;
  /** Newest first; `after` is [version]. */
  listVersions(name: string, page: PageRequest): Promise<TemplateVersion[]>;
}

export function createTemplatesRepository(db: Kysely<Tables>, tenant_id: string): TemplatesRepository {
  const templates = () => db.selectFrom('templates').selectAll().where('tenant_id', '=', tenant_id);
  const versions = (name: string) =>
    db.selectFrom('template_versions').selectAll().where('tenant_id', '=', tenant_id).where('name', '=', name);
  const plain = (row: TemplateRow): StoredTemplate => omit(row, 'tenant_id');
  const read = (row: TemplateVersionRow): TemplateVersion => ({
    ...omit(row, 'tenant_id'),
    template: JSON.parse(row.template) as Template,
  });
  return {
    async insert(template) {
      await db
        .insertInto('templates')
        .values({ ...template, tenant_id })
        .execute();
    },
    async find(name) {
      const row = await templates().where('name', '=', name).executeTakeFirst();
      return row && plain(row);
    },
    async list({ limit, after, projects }) {
      let query = templates()
        .orderBy('name')
        .limit(limit + 1);
      if (projects) query = query.where('project', 'in', [...projects]);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(plain);
    },
    async update(name, changes) {
      await db
        .updateTable('templates')
        .set(changes)
        .where('tenant_id', '=', tenant_id)
        .where('name', '=', name)
        .execute();
    },
    async remove(name) {
      await db.deleteFrom('templates').where('tenant_id', '=', tenant_id).where('name', '=', name).execute();
    },
    async insertVersion({ template, ...row }) {
      await db
        .insertInto('template_versions')
        .values({ ...row, template: JSON.stringify(template), tenant_id })
        .execute();
    },
    async findVersion(name, version) {
      const row = await versions(name).where('version', '=', version).executeTakeFirst();
      return row && read(row);
    },
    async listVersions(name, { limit, after }) {
      let query = versions(name)
        .orderBy('version', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('version', '<', Number(after[0]));
      return (await query.execute()).map(read);
    },
  };
}
