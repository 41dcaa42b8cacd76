import { digestOf, isoTime, ProblemError, redactDocument, type Clock } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { adoptConfig, checkTemplate, openOf, readyTemplate, readyTemplates, secretsOf } from '@sbox/pipeline';
import type { Caller } from '@sbox/daemon/serve';
import { defaultProject, type HeldBounds } from '@sbox/protocol';
import type { Template } from '@sbox/protocol/pipeline';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { projectsOf } from '../../access/bounds.ts';
import { refuseApart } from '../configs/projects.ts';
import { readHidden } from '../hidden.ts';
import { checkRevision } from '../if-match.ts';
import type { StoredTemplate } from './templates-repository.ts';

export interface TemplatesDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** All that values could be kept for. */
  readonly knownTemplates: (tx: Repositories) => Promise<readonly Template[]>;
}

export interface TemplateWrite {
  /** Undefined: where it is. */
  readonly project?: string | undefined;
  readonly template: Template;
  readonly message: string;
}

export interface TemplateAdoption {
  readonly project: string;
  readonly name: string;
  readonly document: string | Readonly<Record<string, unknown>>;
  readonly message: string;
}

export type TemplatesService = ReturnType<typeof createTemplatesService>;

/** Templates that come with sbox, and those that people make; each change of one is a version that stays. */
export function createTemplatesService(deps: TemplatesDeps) {
  const { store, clock } = deps;
  const create = async (
    { template, project = defaultProject, message }: TemplateWrite,
    { name: author, bounds }: Caller,
  ) => {
    checkTemplate(template);
    readHidden(template.document, undefined, redactDocument, 'the document');
    const { name } = template;
    const now = isoTime(clock.now());
    await store.transaction(async (tx) => {
      if (readyTemplate(name) ?? (await tx.templates.find(name)))
        throw new ProblemError('template.exists', `template ${name} exists`);
      await refuseOpened(deps, tx, template);
      await tx.templates.insert({ name, project, version: 1, revision: 1, created_at: now, updated_at: now });
      await tx.templates.insertVersion(versionOf(template, { version: 1, author, message, created_at: now }));
      await tx.events.add('template.created', { name });
    });
    return await view(store, name, { bounds });
  };

  return {
    async list({ project, ...query }: PageQuery & { readonly project?: string | undefined }, { bounds }: Caller) {
      const page = { ...readPage(query, 1), projects: projectsOf({ bounds }, project) };
      const own = toPage(await store.templates.list(page), page.limit, ({ name }) => [name]);
      const items = await Promise.all(own.items.map(async ({ name }) => await view(store, name, { bounds })));
      // Few and always there: they come before the first page of the others.
      const ready = page.after === undefined && project === undefined ? await viewAllReady(store, bounds) : [];
      return { items: [...ready, ...items].map((item) => omit(item, 'document')), next_cursor: own.next_cursor };
    },
    get: async (name: string, version: number | undefined, how: Pick<ViewOptions, 'reveal' | 'bounds'>) =>
      await view(store, name, { ...how, version }),
    create,
    async adopt({ name, document, project, message }: TemplateAdoption, caller: Caller) {
      const text = typeof document === 'string' ? document : JSON.stringify(document);
      const { template, nodes, groups, main_group = null, findings } = adoptConfig(text, { name }, { sha256 });
      const made = await create({ template, project, message }, caller);
      return { template: made, nodes, groups, main_group, findings };
    },
    async replace(name: string, ifMatch: string, { template: given, project, message }: TemplateWrite, caller: Caller) {
      if (given.name !== name)
        throw new ProblemError(
          'request.invalid',
          `the template is called ${given.name}, not ${name}: names do not change`,
        );
      await store.transaction(
        async (tx) => await writeVersion(deps, tx, { given, project, message, author: caller.name, ifMatch }),
      );
      return await view(store, name, { bounds: caller.bounds });
    },
    async remove(name: string, ifMatch: string, bounds?: HeldBounds): Promise<void> {
      await store.transaction(async (tx) => {
        const stored = await findOwn(tx, name);
        checkRevision(ifMatch, stored.revision);
        const isUsed = (await tx.configs.projectsUsingTemplate(name)).length > 0;
        if (isUsed) {
          const configs = await tx.configs.usingTemplate(name, bounds?.projects);
          const detail = `${configs.slice(0, 5).join(', ') || 'configs elsewhere'} use ${name}`;
          throw new ProblemError('template.in-use', detail, { details: { configs } });
        }
        await goneSecrets.keep(tx, name);
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
  readonly project: string | undefined;
  readonly message: string;
  readonly author: string;
  readonly ifMatch: string;
}

async function writeVersion(
  deps: TemplatesDeps,
  tx: Repositories,
  { given, project, message, author, ifMatch }: NewVersion,
): Promise<void> {
  const { name } = given;
  const stored = await findOwn(tx, name);
  checkRevision(ifMatch, stored.revision);
  const last = await tx.templates.findVersion(name, stored.version);
  const document = readHidden(given.document, last?.template.document, redactDocument, 'the document');
  const template = { ...given, document };
  checkTemplate(template);
  await refuseOpened(deps, tx, template, last?.template);
  const now = isoTime(deps.clock.now());
  const version = stored.version + 1;
  const next = versionOf(template, { version, author, message, created_at: now });
  if (project !== undefined && project !== stored.project) {
    const projects = await tx.configs.projectsUsingTemplate(name);
    refuseApart(
      name,
      project,
      projects.map((one) => ({ project: one })),
    );
    await tx.templates.update(name, { project, revision: stored.revision + 1, updated_at: now });
    await tx.events.add('template.changed', { name, version: stored.version });
  }
  // The same again is no new version.
  if (last?.digest === next.digest) return;
  await tx.templates.insertVersion(next);
  await tx.templates.update(name, { version, revision: stored.revision + 1, updated_at: now });
  await tx.events.add('template.changed', { name, version });
}

/**
 * Values of parameters are kept by name, in recipes and in settings, and hidden as long as that names a secret: no
 * template makes an ordinary text of one.
 * @throws ProblemError `template.invalid`
 */
async function refuseOpened(
  { knownTemplates }: TemplatesDeps,
  tx: Repositories,
  template: Template,
  last?: Template,
): Promise<void> {
  // Whoever makes a secret of a name later on shall not keep this template from being edited.
  const were = new Set(last && openOf(last));
  const opened = openOf(template).filter((param) => !were.has(param));
  if (opened.length === 0) return;
  const refuse = (secrets: Iterable<string>, where: string): void => {
    const known = new Set(secrets);
    const param = opened.find((one) => known.has(one));
    if (param === undefined) return;
    throw new ProblemError('template.invalid', `params.${param}: it is a secret in ${where}`, {
      fix: 'Make it a secret here too, or give it another name.',
    });
  };
  refuse(await secretsEver(tx, template.name), 'an earlier version');
  refuse((await knownTemplates(tx)).flatMap(secretsOf), 'another template');
  refuse(await goneSecrets.all(tx), 'a template that was deleted');
}

/** Of all versions of a template. */
async function secretsEver({ templates }: Repositories, name: string): Promise<Set<string>> {
  const secrets = new Set<string>();
  let after: readonly [number] | undefined;
  for (;;) {
    const versions = await templates.listVersions(name, { limit: versionsAtOnce, after });
    for (const { template } of versions) for (const param of secretsOf(template)) secrets.add(param);
    const last = versions[versionsAtOnce - 1];
    if (versions.length <= versionsAtOnce || last === undefined) return secrets;
    after = [last.version];
  }
}

/** Each with its whole document. */
const versionsAtOnce = 20;

const gonePrefix = 'secret parameter ';

/** Secrets of templates that were deleted: settings, and their versions, go on holding values for them. */
const goneSecrets = {
  async keep(tx: Repositories, name: string): Promise<void> {
    for (const param of await secretsEver(tx, name)) await tx.meta.set(`${gonePrefix}${param}`, name);
  },
  all: async ({ meta }: Repositories): Promise<string[]> =>
    [...(await meta.list(gonePrefix)).keys()].map((key) => key.slice(gonePrefix.length)),
};

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

async function viewAllReady(store: Store, bounds: HeldBounds | undefined) {
  const views = await Promise.all(
    readyTemplates.map(async (one) =>
      (await store.templates.find(one.name)) ? [] : [await viewReady(store, one, bounds)],
    ),
  );
  return views.flat();
}

const viewReady = async (store: Store, template: Template, bounds: HeldBounds | undefined) => ({
  ...template,
  project: null,
  version: null,
  built_in: true,
  configs: await store.configs.usingTemplate(template.name, bounds?.projects),
  revision: null,
  created_at: null,
  updated_at: null,
});

interface ViewOptions {
  readonly version?: number | undefined;
  readonly reveal?: boolean;
  readonly bounds?: HeldBounds | undefined;
}

async function view(store: Store, name: string, { version, reveal = false, bounds }: ViewOptions = {}) {
  const { template, version: found } = await findTemplate(store, name, version);
  const stored = found === null ? undefined : await store.templates.find(name);
  if (!stored) return await viewReady(store, template, bounds);
  const { project, revision, created_at, updated_at } = stored;
  // Names of configs are for those who may see them.
  const configs = await store.configs.usingTemplate(name, bounds?.projects);
  // An adopted document has the secrets of its nodes in it.
  const shown = reveal ? template : { ...template, document: redactDocument(template.document) };
  return { ...shown, project, version: found, built_in: false, configs, revision, created_at, updated_at };
}
