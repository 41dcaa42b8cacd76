import { isoTime, ProblemError, redact, type Clock, type NewId } from '@sbox/core';
import { diffOutbounds } from '@sbox/engines/sing-box/render';
import { configSettingsSchema, type configWriteSchema } from '@sbox/protocol';
import { createTwoFilesPatch } from 'diff';
import * as z from 'zod/mini';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { omit } from '../../omit.ts';
import { checkRevision } from '../if-match.ts';
import type { Config, ConfigVersion } from './configs-repository.ts';
import type { ConfigSettings } from './rendering.ts';
import type { StoredVersion, VersionOrigin, Versions } from './versions.ts';

export type ConfigWrite = z.output<typeof configWriteSchema>;
export interface ConfigChange {
  readonly name?: string | undefined;
  readonly subscriptions?: readonly string[] | undefined;
  /** Merged one level deep. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  readonly auto_deploy?: boolean | undefined;
}

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
  const write = async (
    id: string,
    ifMatch: string,
    { name, subscriptions, auto_deploy }: Omit<ConfigChange, 'settings'>,
    settingsFrom: (stored: ConfigSettings) => ConfigSettings,
  ) => {
    const configId = await store.transaction(async (tx) => {
      const config = await find(tx, id);
      checkRevision(ifMatch, config.revision);
      if (name !== undefined) await refuseDouble(tx, name, config.id);
      await tx.configs.update(config.id, {
        name: name ?? config.name,
        auto_deploy: auto_deploy ?? config.auto_deploy,
        settings: settingsFrom(config.settings),
        ...(subscriptions ? { subscriptions: await resolveSubscriptions(tx, subscriptions) } : {}),
        revision: config.revision + 1,
        updated_at: isoTime(clock.now()),
      });
      return config.id;
    });
    return await view(store, await find(store, configId));
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.configs.list(page), page.limit, ({ name }) => [name]);
      return { items: await Promise.all(items.map(async (config) => await view(store, config))), next_cursor };
    },
    get: async (id: string) => await view(store, await find(store, id)),
    async create({ subscriptions: names, ...recipe }: ConfigWrite, author: string) {
      const now = isoTime(clock.now());
      const subscriptions = await resolveSubscriptions(store, names);
      const blank = { revision: 1, version: null, created_at: now, updated_at: now };
      const config: Config = { ...recipe, ...blank, id: newId('cfg'), subscriptions };
      // Made before anything is written: a recipe that cannot be rendered leaves nothing behind.
      const made = await unlessEmpty(async () => await versions.make(await versions.inputsNow(config), []));
      await store.transaction(async (tx) => {
        await refuseDouble(tx, config.name);
        await tx.configs.insert(config);
        await tx.events.add('config.created', { config_id: config.id, name: config.name });
        if (made) await versions.store(tx, config, made, { author, message: '' });
      });
      return await view(store, await find(store, config.id));
    },
    replace: async (id: string, ifMatch: string, recipe: ConfigWrite) =>
      await write(id, ifMatch, recipe, () => recipe.settings),
    update: async (id: string, ifMatch: string, { settings, ...change }: ConfigChange) =>
      await write(id, ifMatch, change, (stored) => (settings ? mergeSettings(stored, settings) : stored)),
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
        await tx.events.add('config.deleted', { config_id: config.id, name: config.name });
      });
    },
  };
}

/** What is made of it. One version of a config at a time, so that each has a number of its own. */
function madeOf({ store, versions, queue }: ConfigsDeps) {
  const generate = async (id: string, origin: VersionOrigin): Promise<StoredVersion> => {
    const { id: configId } = await find(store, id);
    return await queue.run(`config ${configId}`, async () => {
      const config = await find(store, configId);
      const made = await versions.make(await versions.inputsNow(config), await serversOf(store, configId));
      return await store.transaction(async (tx) => await versions.store(tx, await find(tx, configId), made, origin));
    });
  };

  return {
    generate,
    async validate(id: string) {
      const config = await find(store, id);
      const empty = { valid: false, nodes: 0, left_out: [], engine_check: null };
      try {
        const { made, nodes, check } = await versions.inspect(await versions.inputsNow(config));
        const isValid = made.findings.length === 0 && check?.ok !== false;
        return {
          valid: isValid,
          nodes,
          left_out: made.rendition.left_out,
          findings: made.findings,
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
        const old = await findVersion(store, await find(store, configId), number);
        const made = await versions.make(old.inputs, await serversOf(store, configId));
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
      const now = await shownDocument(store, await findVersion(store, config, to));
      const old = from === 0 ? {} : await shownDocument(store, await findVersion(store, config, from));
      const [before, after] = [from === 0 ? {} : old.document, now.document];
      const text = createTwoFilesPatch(`version ${from}`, `version ${to}`, old.text ?? '', now.text ?? '');
      return { from, to, outbounds: diffOutbounds(before ?? {}, after ?? {}), text };
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

async function view(store: Store, { subscriptions: ids, ...config }: Config) {
  const names = new Map((await store.subscriptions.findMany(ids)).map(({ id, name }) => [id, name]));
  const subscriptions = ids.map((id) => ({ id, name: names.get(id) ?? id }));
  return { ...config, subscriptions, servers: (await serversOf(store, config.id)).length };
}

export function showVersion({ inputs, renditions, ...row }: ConfigVersion) {
  return {
    ...row,
    snapshots: inputs.snapshots,
    renditions: renditions.map((rendition) => omit(rendition, 'once')),
  };
}

/** The first rendition of a version; its text is printed anew so that secrets are hidden and lines compare. */
async function shownDocument(
  { configs }: Pick<Repositories, 'configs'>,
  { renditions }: ConfigVersion,
): Promise<{ document?: unknown; text?: string }> {
  const bytes = await configs.content(renditions[0]?.digest ?? '');
  if (!bytes) return {};
  const document = JSON.parse(bytes.toString('utf8')) as unknown;
  return { document, text: `${JSON.stringify(redact(document), null, 2)}\n` };
}
