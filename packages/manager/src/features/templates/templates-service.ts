import { digestOf, isoTime, ProblemError, redact, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { adoptConfig, checkTemplate, readyTemplate, readyTemplates } from '@sbox/pipeline';
import type { Template } from '@sbox/protocol/pipeline';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { readHidden } from '../hidden.ts';
import { checkRevision } from '../if-match.ts';
import type { StoredTemplate } from './templates-repository.ts';

export interface TemplatesDeps {
  readonly store: Store;
  readonly clock: Clock;
}

export interface TemplateWrite {
  readonly template: Template;
  readonly message: string;
}

export interface TemplateAdoption {
  readonly name: string;
  readonly document: string | Readonly<Record<string, unknown>>;
  readonly message: string;
}

export type TemplatesService = ReturnType<typeof createTemplatesService>;

/** Templates that come with sbox, and those that people make; each change of one is a version that stays. */
export function createTemplatesService({ store, clock }: TemplatesDeps) {
  const create = async ({ template, message }: TemplateWrite, author: string) => {
    checkTemplate(template);
    const { name } = template;
    const now = isoTime(clock.now());
    await store.transaction(async (tx) => {
      if (readyTemplate(name) ?? (await tx.templates.find(name)))
        throw new ProblemError('template.exists', `template ${name} exists`);
      await tx.templates.insert({ name, version: 1, revision: 1, created_at: now, updated_at: now });
      await tx.templates.insertVersion(versionOf(template, { version: 1, author, message, created_at: now }));
      await tx.events.add('template.created', { name });
    });
    return await view(store, name);
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query, 1);
      const own = toPage(await store.templates.list(page), page.limit, ({ name }) => [name]);
      const items = await Promise.all(own.items.map(async ({ name }) => await view(store, name)));
      // Few and always there: they come before the first page of the others.
      const ready = page.after === undefined ? await viewAllReady(store) : [];
      return { items: [...ready, ...items].map((item) => omit(item, 'document')), next_cursor: own.next_cursor };
    },
    get: async (name: string, version: number | undefined, reveal: boolean) =>
      await view(store, name, { version, reveal }),
    create,
    async adopt({ name, document, message }: TemplateAdoption, author: string) {
      const text = typeof document === 'string' ? document : JSON.stringify(document);
      const { template, nodes, groups, main_group = null, findings } = adoptConfig(text, { name }, { sha256 });
      const made = await create({ template, message }, author);
      return { template: made, nodes, groups, main_group, findings };
    },
    async replace(name: string, ifMatch: string, { template: given, message }: TemplateWrite, author: string) {
      if (given.name !== name)
        throw new ProblemError(
          'request.invalid',
          `the template is called ${given.name}, not ${name}: names do not change`,
        );
      await store.transaction(async (tx) => await writeVersion(tx, clock, { given, message, author, ifMatch }));
      return await view(store, name);
    },
    async remove(name: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const stored = await findOwn(tx, name);
        checkRevision(ifMatch, stored.revision);
        const configs = await tx.configs.usingTemplate(name);
        if (configs.length > 0) {
          const detail = `${configs.slice(0, 5).join(', ')} use ${name}`;
          throw new ProblemError('template.in-use', detail, { details: { configs } });
        }
        await tx.templates.remove(name);
        await tx.events.add('template.deleted', { name });
      });
    },
    versions: async (name: string, query: PageQuery) => await listVersions(store, name, query),
  };
}

async function listVersions(store: Store, name: string, query: PageQuery) {
  const page = readPage(query);
  if (!(await store.templates.find(name)) && readyTemplate(name)) return { items: [], next_cursor: null };
  await findOwn(store, name);
  const found = await store.templates.listVersions(name, page);
  const { items, next_cursor } = toPage(found, page.limit, ({ version }) => [version]);
  return { items: items.map((version) => omit(version, 'name', 'template')), next_cursor };
}

interface NewVersion {
  readonly given: Template;
  readonly message: string;
  readonly author: string;
  readonly ifMatch: string;
}

async function writeVersion(
  tx: Repositories,
  clock: Clock,
  { given, message, author, ifMatch }: NewVersion,
): Promise<void> {
  const { name } = given;
  const stored = await findOwn(tx, name);
  checkRevision(ifMatch, stored.revision);
  const last = await tx.templates.findVersion(name, stored.version);
  const document = readHidden(given.document, last?.template.document, redact, 'the document');
  const template = { ...given, document };
  checkTemplate(template);
  const now = isoTime(clock.now());
  const version = stored.version + 1;
  const next = versionOf(template, { version, author, message, created_at: now });
  // The same again is no new version.
  if (last?.digest === next.digest) return;
  await tx.templates.insertVersion(next);
  await tx.templates.update(name, { version, revision: stored.revision + 1, updated_at: now });
  await tx.events.add('template.changed', { name, version });
}

const versionOf = (
  template: Template,
  origin: { version: number; author: string; message: string; created_at: string },
) => ({ name: template.name, template, digest: digestOf(Buffer.from(JSON.stringify(template)), sha256), ...origin });

type Found = Pick<Repositories, 'templates'>;

const notFound = (name: string): ProblemError => new ProblemError('template.not-found', `template ${name}`);

async function findOwn({ templates }: Found, name: string): Promise<StoredTemplate> {
  const stored = await templates.find(name);
  if (stored) return stored;
  throw readyTemplate(name) ? new ProblemError('template.read-only', `${name} comes with sbox`) : notFound(name);
}

/**
 * A template and its version, which is null for one that comes with sbox. A newer sbox may bring one under the name of a
 * template that people have made: theirs goes first, so that no config changes by itself.
 * @throws ProblemError `template.not-found`, `template.version-not-found`
 */
export async function findTemplate(
  { templates }: Found,
  name: string,
  version?: number,
): Promise<{ template: Template; version: number | null }> {
  const stored = await templates.find(name);
  const ready = stored ? undefined : readyTemplate(name);
  if (ready && version === undefined) return { template: ready, version: null };
  if (!ready && !stored) throw notFound(name);
  const found = stored && (await templates.findVersion(name, version ?? stored.version));
  if (!found) throw new ProblemError('template.version-not-found', `template ${name} has no version ${version}`);
  return { template: found.template, version: found.version };
}

async function viewAllReady(store: Store) {
  const views = await Promise.all(
    readyTemplates.map(async (one) => ((await store.templates.find(one.name)) ? [] : [await viewReady(store, one)])),
  );
  return views.flat();
}

const viewReady = async (store: Store, template: Template) => ({
  ...template,
  version: null,
  built_in: true,
  configs: await store.configs.usingTemplate(template.name),
  revision: null,
  created_at: null,
  updated_at: null,
});

async function view(
  store: Store,
  name: string,
  { version, reveal = false }: { readonly version?: number | undefined; readonly reveal?: boolean } = {},
) {
  const { template, version: found } = await findTemplate(store, name, version);
  const stored = found === null ? undefined : await store.templates.find(name);
  if (!stored) return await viewReady(store, template);
  const { revision, created_at, updated_at } = stored;
  const configs = await store.configs.usingTemplate(name);
  // An adopted document has the secrets of its nodes in it.
  const shown = reveal ? template : { ...template, document: redact(template.document) };
  return { ...shown, version: found, built_in: false, configs, revision, created_at, updated_at };
}
