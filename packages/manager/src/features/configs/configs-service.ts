import { isoTime, ProblemError, type Clock, type NewId } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { diffConfigs } from '@sbox/engines/sing-box/render';
import { findCountry } from '@sbox/pipeline';
import { writtenSettingsSchema, type configWriteSchema } from '@sbox/protocol';
import { createTwoFilesPatch } from 'diff';
import * as z from 'zod/mini';
import { readPage, toPage, type InProjects, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { refuseBeyond } from '../../access/grant.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { omit } from '../../omit.ts';
import { hidePatch, readHidden } from '../hidden.ts';
import { checkRevision } from '../if-match.ts';
import { refuseDenied, type PolicyJudge } from '../policies/policy-judge.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { Config } from './configs-repository.ts';
import { checkRecipe, refuseStale } from './inputs.ts';
import { refuseForeignParts } from './projects.ts';
import type { WrittenSettings } from './rendering.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import { exportForServer, exportVersion, findTaker, renditionFor } from './export-version.ts';
import { find, findPublished, findVersion, publishedBefore, serversOf } from './find-config.ts';
import { hideParams, showConfigs } from './shown-config.ts';
import { emptyDocument, shownDocument, shownText, showVersion } from './shown-version.ts';
import { lifecycleOf } from './version-lifecycle.ts';
import type { MadeVersion, StoredVersion, VersionOrigin, Versions } from './versions.ts';

export { find };
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
  readonly judge: Pick<PolicyJudge, 'judge'>;
}

export type ConfigsService = ReturnType<typeof createConfigsService>;

/** Recipes and their versions. */
export const createConfigsService = (deps: ConfigsDeps) => ({
  ...recipesOf(deps),
  ...madeOf(deps),
  ...shownOf(deps),
  ...lifecycleOf(deps),
});

/** What people write down. */
function recipesOf(deps: ConfigsDeps) {
  const { store, clock } = deps;
  const write = async ({ id, ifMatch, caller }: Rewriting, change: RecipeChange) => {
    const configId = await store.transaction(
      async (tx) => await writeRecipe(tx, clock, { id, ifMatch, caller, change }),
    );
    return await view(store, await find(store, configId));
  };

  return {
    async list(query: PageQuery & InProjects) {
      const page = { ...readPage(query), projects: query.projects };
      const { items, next_cursor } = toPage(await store.configs.list(page), page.limit, ({ name }) => [name]);
      return { items: await showConfigs(store, items), next_cursor };
    },
    get: async (id: string, reveal: boolean) => await view(store, await find(store, id), reveal),
    create: async (recipe: ConfigWrite, caller: Caller, draft: boolean) => {
      if (recipe.auto_deploy) refuseAutoDeploy(caller);
      return await createConfig(deps, recipe, { author: caller.name, draft });
    },
    replace: async (what: Rewriting, recipe: ConfigWrite) => await write(what, () => omit(recipe, 'engine')),
    update: async (what: Rewriting, { settings, ...change }: ConfigChange) =>
      await write(what, (stored) => ({
        ...given(change),
        ...(settings ? { settings: mergeSettings(stored.settings, settings) } : {}),
      })),
    async remove(id: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const config = await find(tx, id);
        checkRevision(ifMatch, config.revision);
        const clients = await tx.clients.namesOf(config.id);
        if (clients.length > 0)
          throw new ProblemError('config.in-use', `${clients.slice(0, 5).join(', ')} take ${config.name}`, {
            details: { clients },
            fix: 'Give the clients named in details another config first.',
          });
        const servers = await serversOf(tx, config.id);
        if (servers.length > 0) {
          throw new ProblemError('config.in-use', `${servers.length} servers run ${config.name}`, {
            details: { servers: servers.slice(0, 100) },
          });
        }
        const assignments = (await tx.assignments.list({ configId: config.id })).map(({ name }) => name);
        if (assignments.length > 0) {
          throw new ProblemError('config.in-use', `${assignments.slice(0, 5).join(', ')} name ${config.name}`, {
            details: { assignments },
            fix: 'Delete the assignments named in details first.',
          });
        }
        await tx.configs.remove(config.id);
        await tx.blobs.removeUnused(isoTime(clock.now()));
        await tx.events.add('config.deleted', { config_id: config.id, name: config.name });
      });
    },
  };
}

type FirstOrigin = Pick<VersionOrigin, 'author' | 'draft'>;

/** With its version 1, when its subscriptions have nodes. */
async function createConfig(deps: ConfigsDeps, { subscriptions: names, ...recipe }: ConfigWrite, origin: FirstOrigin) {
  const { store, versions, clock, newId } = deps;
  const now = isoTime(clock.now());
  const subscriptions = await resolveSubscriptions(store, names);
  const blank = { revision: 1, version: null, last_number: 0, created_at: now, updated_at: now };
  const written: Config = { ...recipe, ...blank, id: newId('cfg'), subscriptions };
  const config = await withSecrets(store, written, undefined);
  await refuseForeignParts(store, config);
  await checkRecipe(store, config);
  // Made before anything is written: a recipe that cannot be rendered leaves nothing behind.
  const made = await unlessEmpty(
    async () =>
      await versions.make(await versions.inputsNow(config), [], {
        testsBlock: config.tests_block && origin.draft !== true,
      }),
  );
  const findings = made ? await heard(deps, config, made, { ...origin, command: 'create' }) : [];
  await store.transaction(async (tx) => {
    await refuseDouble(tx, config.name);
    // Making the version took a while, and a template that nobody uses may be deleted.
    await findTemplate(tx, config.template.name, config.template.version);
    await refuseForeignParts(tx, config);
    await tx.configs.insert(config);
    await tx.events.add('config.created', { config_id: config.id, name: config.name });
    if (made) await refuseStale(tx, config, made.inputs);
    if (made) await versions.store(tx, config, made, { ...origin, message: '', findings });
  });
  return await view(store, await find(store, config.id));
}

interface Rewriting {
  readonly id: string;
  readonly ifMatch: string;
  readonly caller: Caller;
}

/** Versions that deploy themselves move servers: who may not do that may not have it done either. */
const refuseAutoDeploy = (caller: Caller): void =>
  refuseBeyond(caller, ['configs:deploy'], 'have versions deployed by themselves');

type RecipeChange = (stored: Config) => Partial<Omit<ConfigWrite, 'engine'>>;

async function writeRecipe(
  tx: Repositories,
  clock: Clock,
  { id, ifMatch, caller, change }: Rewriting & { readonly change: RecipeChange },
): Promise<string> {
  const config = await find(tx, id);
  checkRevision(ifMatch, config.revision);
  const { subscriptions: names, ...parts } = change(config);
  if (parts.name !== undefined) await refuseDouble(tx, parts.name, config.id);
  const subscriptions = names ? await resolveSubscriptions(tx, names) : config.subscriptions;
  const next = await withSecrets(tx, { ...config, ...parts, subscriptions }, config);
  if (next.auto_deploy && !config.auto_deploy) refuseAutoDeploy(caller);
  await refuseForeignParts(tx, next);
  await checkRecipe(tx, next);
  const written = { revision: config.revision + 1, updated_at: isoTime(clock.now()) };
  await tx.configs.update(config.id, { ...omit(next, 'id'), ...written });
  const keys = Object.keys(config) as (keyof Config)[];
  const changed = keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(config[key]));
  await tx.events.add('config.edited', { config_id: config.id, name: next.name, changed });
  return config.id;
}

/** What is made of it. One version of a config at a time, so that each has a number of its own. */
function madeOf(deps: ConfigsDeps) {
  const { store, versions, queue, judge } = deps;
  const generate = async (id: string, origin: VersionOrigin): Promise<StoredVersion> => {
    const { id: configId } = await find(store, id);
    return await queue.run(`config ${configId}`, async () => {
      const config = await find(store, configId);
      const inputs = await versions.inputsNow(config);
      const testsBlock = config.tests_block && origin.draft !== true;
      const made = await versions.make(inputs, await serversOf(store, configId), { testsBlock });
      const judged = { ...origin, findings: await heard(deps, config, made, origin) };
      return await store.transaction(async (tx) => await versions.store(tx, await find(tx, configId), made, judged));
    });
  };

  return {
    generate,
    async validate(id: string) {
      const config = await find(store, id);
      const empty = { valid: false, nodes: 0, left_out: [], policies: [], warnings: [], engine_check: null };
      try {
        const inputs = await versions.inputsNow(config);
        const { made, nodes, piped } = await versions.renderFor(inputs);
        const check = await versions.check(made);
        const policies = await judge.judge(config, { inputs, piped, made: [made] });
        const isDenied = policies.some(({ verdict }) => verdict === 'deny');
        return {
          valid: made.findings.length === 0 && check?.ok !== false && !isDenied,
          nodes,
          left_out: made.rendition.left_out,
          findings: made.findings,
          policies,
          warnings: made.warnings,
          engine_check: check,
        };
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        return { ...empty, findings: [{ code: error.code, path: '', message: error.message }] };
      }
    },
    async rollback(id: string, wanted: number | string, origin: VersionOrigin) {
      const { id: configId } = await find(store, id);
      return await queue.run(`config ${configId}`, async () => {
        const config = await find(store, configId);
        // A draft never served, and would come by its tests in this way.
        const { inputs, version: rollback_of } = await findPublished(store, config, wanted);
        // What served once may come back, whatever its tests say; policies may be younger than it.
        const made = await versions.make(inputs, await serversOf(store, configId), { testsBlock: false });
        const judged = { ...origin, rollback_of, findings: await heard(deps, config, made, origin) };
        const { version } = await store.transaction(
          async (tx) => await versions.store(tx, await find(tx, configId), made, judged),
        );
        return showVersion(version);
      });
    },
  };
}

/** What the policies say; one that denies keeps everything but a draft from being made. */
async function heard(
  { judge }: Pick<ConfigsDeps, 'judge'>,
  config: Config,
  made: MadeVersion,
  { draft = false, command = 'generate' }: Pick<VersionOrigin, 'draft'> & { readonly command?: 'create' | 'generate' },
) {
  const findings = await judge.judge(config, made);
  if (!draft)
    refuseDenied(findings, `Mend it, or keep it as a draft: sboxmgr config ${command} ${config.name} --draft`);
  return findings;
}

interface DiffOptions {
  readonly against?: number | string | undefined;
  /** Whose renditions are compared; without it those of nobody in particular. */
  readonly server?: string | undefined;
}

/** What was made. */
function shownOf({ store, versions }: ConfigsDeps) {
  return {
    async versions(id: string, query: PageQuery) {
      const page = readPage(query);
      const { id: configId } = await find(store, id);
      const { items, next_cursor } = toPage(await store.configs.listVersions(configId, page), page.limit, (row) => [
        row.version,
      ]);
      return { items: items.map(showVersion), next_cursor };
    },
    async version(id: string, wanted: number | string) {
      return showVersion(await findVersion(store, await find(store, id), wanted));
    },
    async diff(id: string, wanted: number | string, { against, server }: DiffOptions) {
      const config = await find(store, id);
      const newer = await findVersion(store, config, wanted);
      const wantedBefore = against ?? (await publishedBefore(store, newer));
      const older = Number(wantedBefore) === 0 ? undefined : await findVersion(store, config, wantedBefore);
      const [from, to] = [older?.version ?? 0, newer.version];
      const taker = server === undefined ? undefined : await findTaker(store, config, server);
      // Engines write things in different ways, which is no difference between the versions.
      const profile = newer.renditions[0]?.profile;
      const show = async (version: ConfigVersion) =>
        taker
          ? await shownText(store, await renditionFor({ store, versions }, taker, version))
          : await shownDocument(store, version, profile);
      const now = await show(newer);
      const old = older ? await show(older) : emptyDocument;
      const text = createTwoFilesPatch(`version ${from}`, `version ${to}`, old.text, now.text);
      const ids = { before: old.ids, after: now.ids };
      return { from, to, ...diffConfigs(old.document, now.document, { ids, describeNode: findCountry }), text };
    },
    async export(id: string, wanted: number | string | undefined, server?: string) {
      const config = await find(store, id);
      if (server !== undefined) return await exportForServer({ store, versions }, config, server, wanted);
      return await exportVersion({ store }, await findVersion(store, config, wanted ?? config.version ?? 0));
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

function mergeSettings(stored: WrittenSettings, patch: Readonly<Record<string, unknown>>): WrittenSettings {
  const kept = Object.entries({ ...stored, ...patch }).filter(([, value]) => value !== null);
  const parsed = z.safeParse(writtenSettingsSchema, Object.fromEntries(kept));
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

async function view(store: Store, config: Config, reveal = false) {
  const [shown] = await showConfigs(store, [config], reveal);
  if (!shown) throw new Error('one config is shown as one');
  return shown;
}
