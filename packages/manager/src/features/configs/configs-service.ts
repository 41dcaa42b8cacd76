import { isoTime, ProblemError, redact, redactedMark, type Clock, type NewId } from '@sbox/core';
import { diffConfigs } from '@sbox/engines/sing-box/render';
import { findCountry, hideSecrets } from '@sbox/pipeline';
import { configSettingsSchema, nodesFileName, type configWriteSchema, type NamedNode } from '@sbox/protocol';
import { createTwoFilesPatch } from 'diff';
import * as z from 'zod/mini';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { omit } from '../../omit.ts';
import { hidePatch, readHidden } from '../hidden.ts';
import { checkRevision } from '../if-match.ts';
import { showUrl } from '../rule-sets/rule-sets-service.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { Config, ConfigVersion } from './configs-repository.ts';
import { checkRecipe } from './inputs.ts';
import type { ConfigSettings } from './rendering.ts';
import type { StoredVersion, VersionOrigin, Versions } from './versions.ts';

export type ConfigWrite = z.output<typeof configWriteSchema>;
/** What is to change; `settings` are merged one level deep, the rest is replaced. */
export type ConfigChange = {
  readonly [Part in Exclude<keyof ConfigWrite, 'settings' | 'engine'>]?: ConfigWrite[Part] | undefined;
} & { readonly settings?: Readonly<Record<string, unknown>> | undefined };

export interface ConfigsDeps {
  readonly store: Store;
  readonly versions: Versions;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly queue: KeyedQueue;
}

export type ConfigsService = ReturnType<typeof createConfigsService>;

/** Recipes and their versions. */
export const createConfigsService = (deps: ConfigsDeps) => ({
  ...recipesOf(deps),
  ...madeOf(deps),
  ...shownOf(deps),
});

/** What people write down. */
function recipesOf({ store, versions, clock, newId }: ConfigsDeps) {
  const write = async (id: string, ifMatch: string, change: RecipeChange) => {
    const configId = await store.transaction(async (tx) => await writeRecipe(tx, clock, { id, ifMatch, change }));
    return await view(store, await find(store, configId));
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.configs.list(page), page.limit, ({ name }) => [name]);
      return { items: await Promise.all(items.map(async (config) => await view(store, config))), next_cursor };
    },
    get: async (id: string, reveal: boolean) => await view(store, await find(store, id), reveal),
    async create({ subscriptions: names, ...recipe }: ConfigWrite, author: string) {
      const now = isoTime(clock.now());
      const subscriptions = await resolveSubscriptions(store, names);
      const blank = { revision: 1, version: null, created_at: now, updated_at: now };
      const written: Config = { ...recipe, ...blank, id: newId('cfg'), subscriptions };
      const config = await withSecrets(store, written, undefined);
      await checkRecipe(store, config);
      // Made before anything is written: a recipe that cannot be rendered leaves nothing behind.
      const made = await unlessEmpty(
        async () => await versions.make(await versions.inputsNow(config), [], { testsBlock: config.tests_block }),
      );
      await store.transaction(async (tx) => {
        await refuseDouble(tx, config.name);
        // Making the version took a while, and a template that nobody uses may be deleted.
        await findTemplate(tx, config.template.name, config.template.version);
        await tx.configs.insert(config);
        await tx.events.add('config.created', { config_id: config.id, name: config.name });
        if (made) await versions.store(tx, config, made, { author, message: '' });
      });
      return await view(store, await find(store, config.id));
    },
    replace: async (id: string, ifMatch: string, recipe: ConfigWrite) =>
      await write(id, ifMatch, () => omit(recipe, 'engine')),
    update: async (id: string, ifMatch: string, { settings, ...change }: ConfigChange) =>
      await write(id, ifMatch, (stored) => ({
        ...given(change),
        ...(settings ? { settings: mergeSettings(stored.settings, settings) } : {}),
      })),
    async remove(id: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const config = await find(tx, id);
        checkRevision(ifMatch, config.revision);
        const servers = await serversOf(tx, config.id);
        if (servers.length > 0) {
          throw new ProblemError('config.in-use', `${servers.length} servers run ${config.name}`, {
            details: { servers: servers.slice(0, 100) },
          });
        }
        await tx.configs.remove(config.id);
        await tx.blobs.removeUnused(isoTime(clock.now()));
        await tx.events.add('config.deleted', { config_id: config.id, name: config.name });
      });
    },
  };
}

type RecipeChange = (stored: Config) => Partial<Omit<ConfigWrite, 'engine'>>;

async function writeRecipe(
  tx: Repositories,
  clock: Clock,
  { id, ifMatch, change }: { readonly id: string; readonly ifMatch: string; readonly change: RecipeChange },
): Promise<string> {
  const config = await find(tx, id);
  checkRevision(ifMatch, config.revision);
  const { subscriptions: names, ...parts } = change(config);
  if (parts.name !== undefined) await refuseDouble(tx, parts.name, config.id);
  const subscriptions = names ? await resolveSubscriptions(tx, names) : config.subscriptions;
  const next = await withSecrets(tx, { ...config, ...parts, subscriptions }, config);
  await checkRecipe(tx, next);
  const written = { revision: config.revision + 1, updated_at: isoTime(clock.now()) };
  await tx.configs.update(config.id, { ...omit(next, 'id'), ...written });
  const keys = Object.keys(config) as (keyof Config)[];
  const changed = keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(config[key]));
  await tx.events.add('config.edited', { config_id: config.id, name: next.name, changed });
  return config.id;
}

/** What is made of it. One version of a config at a time, so that each has a number of its own. */
function madeOf({ store, versions, queue }: ConfigsDeps) {
  const generate = async (id: string, origin: VersionOrigin): Promise<StoredVersion> => {
    const { id: configId } = await find(store, id);
    return await queue.run(`config ${configId}`, async () => {
      const config = await find(store, configId);
      const inputs = await versions.inputsNow(config);
      const how = { testsBlock: config.tests_block };
      const made = await versions.make(inputs, await serversOf(store, configId), how);
      return await store.transaction(async (tx) => await versions.store(tx, await find(tx, configId), made, origin));
    });
  };

  return {
    generate,
    async validate(id: string) {
      const config = await find(store, id);
      const empty = { valid: false, nodes: 0, left_out: [], warnings: [], engine_check: null };
      try {
        const { made, nodes } = await versions.renderFor(await versions.inputsNow(config));
        const check = await versions.check(made);
        const isValid = made.findings.length === 0 && check?.ok !== false;
        return {
          valid: isValid,
          nodes,
          left_out: made.rendition.left_out,
          findings: made.findings,
          warnings: made.warnings,
          engine_check: check,
        };
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        return { ...empty, findings: [{ code: error.code, path: '', message: error.message }] };
      }
    },
    async rollback(id: string, number: number, origin: VersionOrigin) {
      const { id: configId } = await find(store, id);
      return await queue.run(`config ${configId}`, async () => {
        const config = await find(store, configId);
        const old = await findVersion(store, config, number);
        // What served once may come back, whatever its tests say.
        const made = await versions.make(old.inputs, await serversOf(store, configId), { testsBlock: false });
        const { version } = await store.transaction(
          async (tx) => await versions.store(tx, await find(tx, configId), made, { ...origin, rollback_of: number }),
        );
        return showVersion(version);
      });
    },
  };
}

/** What was made. */
function shownOf({ store }: ConfigsDeps) {
  return {
    async versions(id: string, query: PageQuery) {
      const page = readPage(query);
      const { id: configId } = await find(store, id);
      const { items, next_cursor } = toPage(await store.configs.listVersions(configId, page), page.limit, (row) => [
        row.version,
      ]);
      return { items: items.map(showVersion), next_cursor };
    },
    async version(id: string, number: number) {
      return showVersion(await findVersion(store, await find(store, id), number));
    },
    async diff(id: string, to: number, against: number | undefined) {
      const config = await find(store, id);
      const from = against ?? to - 1;
      const newer = await findVersion(store, config, to);
      const older = from === 0 ? undefined : await findVersion(store, config, from);
      const now = await shownDocument(store, newer);
      // Engines write things in different ways, which is no difference between the versions.
      const old = older ? await shownDocument(store, older, newer.renditions[0]?.profile) : empty;
      const text = createTwoFilesPatch(`version ${from}`, `version ${to}`, old.text, now.text);
      const ids = { before: old.ids, after: now.ids };
      return { from, to, ...diffConfigs(old.document, now.document, { ids, describeNode: findCountry }), text };
    },
    async export(id: string, number: number | undefined) {
      const config = await find(store, id);
      const version = await findVersion(store, config, number ?? config.version ?? 0);
      const digest = version.renditions[0]?.digest ?? '';
      const bytes = await store.configs.content(digest);
      if (!bytes) throw new ProblemError('config.version-not-found', `version ${version.version} has no rendition`);
      return { bytes, etag: `"${digest}"` };
    },
  };
}

/** A config whose subscriptions have nothing yet is made without a version. */
async function unlessEmpty<T>(make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'config.no-nodes' && error.details === undefined)
      return undefined;
    throw error;
  }
}

export async function find({ configs }: Pick<Repositories, 'configs'>, id: string): Promise<Config> {
  const config = await configs.find(id);
  if (!config) throw new ProblemError('config.not-found', `config ${id}`);
  return config;
}

export async function findVersion(
  { configs }: Pick<Repositories, 'configs'>,
  { id, name }: Config,
  number: number,
): Promise<ConfigVersion> {
  const version = await configs.findVersion(id, number);
  if (!version)
    throw new ProblemError(
      'config.version-not-found',
      number > 0 ? `${name} has no version ${number}` : `${name} has no version yet`,
    );
  return version;
}

const serversOf = async ({ servers }: Pick<Repositories, 'servers'>, configId: string): Promise<string[]> =>
  (await servers.assignments({ configId })).map(({ server_id }) => server_id);

async function refuseDouble(tx: Repositories, name: string, id?: string): Promise<void> {
  const other = await tx.configs.find(name);
  if (other && other.id !== id) throw new ProblemError('config.exists', `config ${name} exists`);
}

async function resolveSubscriptions(
  { subscriptions }: Pick<Repositories, 'subscriptions'>,
  names: readonly string[],
): Promise<string[]> {
  const ids = new Set<string>();
  for (const name of names) {
    const row = await subscriptions.find(name);
    if (!row) throw new ProblemError('subscription.not-found', `subscription ${name}`);
    ids.add(row.id);
  }
  return [...ids];
}

function mergeSettings(stored: ConfigSettings, patch: Readonly<Record<string, unknown>>): ConfigSettings {
  const kept = Object.entries({ ...stored, ...patch }).filter(([, value]) => value !== null);
  const parsed = z.safeParse(configSettingsSchema, Object.fromEntries(kept));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({
    where: 'body',
    field: ['settings', ...path].join('.'),
    message,
  }));
  throw new ProblemError('request.invalid', `body ${issues[0]?.field ?? ''}: ${issues[0]?.message ?? ''}`, {
    details: { issues },
  });
}

/** What is there of a change; a field that is there and undefined is none. */
const given = <T extends object>(change: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as never;

type Found = Pick<Repositories, 'templates'>;

/** Parameters of the type `secret` are never shown; of a template that is gone none are. */
async function hideParams(
  store: Found,
  { name, version, params }: Config['template'],
): Promise<Config['template']['params']> {
  if (Object.keys(params).length === 0) return params;
  const found = await findTemplate(store, name, version).catch(() => undefined);
  if (found) return hideSecrets(found.template, params);
  return Object.fromEntries(Object.keys(params).map((key) => [key, redactedMark]));
}

/** A recipe as it was written, with the stored secrets where its writer sent back what was shown. */
async function withSecrets(store: Found, recipe: Config, stored: Config | undefined): Promise<Config> {
  const hidden = stored ? await hideParams(store, stored.template) : {};
  const isSame = stored?.template.name === recipe.template.name;
  const params = Object.entries(recipe.template.params).map(([key, value]) => [
    key,
    readHidden(value, isSame ? stored.template.params[key] : undefined, () => hidden[key], `template.params.${key}`),
  ]);
  return {
    ...recipe,
    template: { ...recipe.template, params: Object.fromEntries(params) as Config['template']['params'] },
    patch: readHidden(recipe.patch, stored?.patch, hidePatch, 'patch'),
  };
}

async function view(store: Store, { subscriptions: ids, ...config }: Config, reveal = false) {
  const names = new Map((await store.subscriptions.findMany(ids)).map(({ id, name }) => [id, name]));
  const subscriptions = ids.map((id) => ({ id, name: names.get(id) ?? id }));
  const shown = { ...config, subscriptions, servers: (await serversOf(store, config.id)).length };
  if (reveal) return shown;
  const template = { ...config.template, params: await hideParams(store, config.template) };
  return { ...shown, template, patch: hidePatch(config.patch) };
}

export function showVersion({ inputs, renditions, ...row }: ConfigVersion) {
  return {
    ...row,
    snapshots: inputs.snapshots,
    template: inputs.template ?? null,
    rule_sets: (inputs.rule_sets ?? []).map(({ url, digest, size }) => ({ url: showUrl(url), digest, size })),
    renditions: renditions.map((rendition) => omit(rendition, 'once')),
  };
}

interface Shown {
  readonly document: unknown;
  readonly text: string;
  /** Node by tag; empty for versions of before this was kept. */
  readonly ids: ReadonlyMap<string, string>;
}

const empty: Shown = { document: {}, text: '', ids: new Map() };

/** A rendition of a version; its text is printed anew so that secrets are hidden and lines compare. */
async function shownDocument(
  { configs, blobs }: Pick<Repositories, 'configs' | 'blobs'>,
  { renditions }: ConfigVersion,
  wanted?: string,
): Promise<Shown> {
  const rendition = renditions.find(({ profile }) => profile === wanted) ?? renditions[0];
  const bytes = await configs.content(rendition?.digest ?? '');
  if (!bytes) return empty;
  const document = JSON.parse(bytes.toString('utf8')) as unknown;
  const list = rendition?.files.find(({ path }) => path === nodesFileName);
  const nodes = list && (await blobs.content(list.digest));
  const named = nodes ? (JSON.parse(nodes.toString('utf8')) as NamedNode[]) : [];
  return {
    document,
    text: `${JSON.stringify(redact(document), null, 2)}\n`,
    ids: new Map(named.map(({ tag, node_id }) => [tag, node_id])),
  };
}
