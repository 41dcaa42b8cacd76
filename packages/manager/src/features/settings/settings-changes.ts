import { ProblemError } from '@sbox/core';
import { canonicalJson } from '@sbox/protocol';
import type { Background } from '../../background.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { Config } from '../configs/configs-repository.ts';
import { markUnfinished } from '../configs/follow.ts';
import { isPlain, readSettings } from '../configs/inputs.ts';
import type { MadeVersion, Versions } from '../configs/versions.ts';
import { serversOf } from '../configs/find-config.ts';
import { refuseDenied, type PolicyJudge } from '../policies/policy-judge.ts';
import { findTemplate } from '../templates/templates-service.ts';
import { keysReadBy } from './freeze-recipe.ts';
import { sortLayers, type SettingLayer } from './layers.ts';
import { everyConfig, rememberTemplates } from './known-templates.ts';

export interface SettingsChangesDeps {
  readonly store: Store;
  readonly versions: Pick<Versions, 'inputsNow' | 'make' | 'store'>;
  readonly judge: Pick<PolicyJudge, 'judge'>;
  readonly queue: KeyedQueue;
  readonly background: Pick<Background, 'run'>;
  /** Deploys the newest versions of these configs where that is wanted. */
  readonly follow: (configIds: readonly string[], message: string) => Promise<void>;
  /** Told of keys whose values were written, once that is stored. */
  readonly changed: (keys: readonly string[], before: readonly SettingLayer[], after: readonly SettingLayer[]) => void;
}

/** What is to change, once it is known what is there. */
export interface PlannedChange {
  readonly scope: string;
  readonly keys: readonly string[];
  /** Of the history of the scope; null for an override. */
  readonly version: number | null;
  readonly after: readonly SettingLayer[];
  readonly write: (tx: Repositories) => Promise<void>;
  readonly author: string;
  /** Why, for the versions that are made. */
  readonly message: string;
  /** Goes through whatever becomes of configs: nobody is there who could be told that it may not. */
  readonly isCertain?: boolean;
}

export interface ChangedConfig {
  readonly name: string;
  readonly version: number;
}

/** A config that keeps the version it has, because none can be made: it has another fault than this change. */
export interface KeptConfig {
  readonly name: string;
  readonly code: string;
  readonly detail: string;
}

/** What a change led to, by the names of configs. */
export interface ChangeOutcome {
  readonly configs: readonly ChangedConfig[];
  readonly kept: readonly KeptConfig[];
}

export type SettingsChanges = ReturnType<typeof createSettingsChanges>;

/** One change at a time. */
const settingsQueue = 'settings';

/**
 * Writes layers of settings together with the versions of configs that follow from them: all or nothing. One change at a
 * time, and none while one of its configs gets a version otherwise.
 */
export function createSettingsChanges(deps: SettingsChangesDeps) {
  const { store, queue, background } = deps;

  const holding = async <T>(ids: readonly string[], work: () => Promise<T>): Promise<T> => {
    const [first, ...rest] = ids;
    if (first === undefined) return await work();
    return await queue.run(`config ${first}`, async () => await holding(rest, work));
  };

  return {
    /** `plan` answers undefined when nothing would change. @throws ProblemError `settings.breaks-config` */
    async apply(plan: (before: readonly SettingLayer[]) => Promise<PlannedChange | undefined>): Promise<ChangeOutcome> {
      return await queue.run(settingsQueue, async () => {
        const before = await store.settings.layers();
        const change = await plan(before);
        if (!change) return { configs: [], kept: [] };
        const ids = await findAffected(store, before, change);
        const { made, outcome } = await holding(ids, async () => {
          const remade = await remake(deps, ids, before, change);
          return { made: remade, outcome: await storeAll(deps, remade, change) };
        });
        deps.changed(change.keys, before, change.after);
        if (made.length > 0)
          background.run('deploy what settings changed', async () => {
            await deps.follow(
              made.map(({ config }) => config.id),
              change.message,
            );
          });
        return outcome;
      });
    },
  };
}

/** Configs whose frozen settings would be others; those that never had a version wait for their first. */
async function findAffected(
  store: Repositories,
  before: readonly SettingLayer[],
  { keys, after }: PlannedChange,
): Promise<string[]> {
  const remembered = rememberTemplates(store);
  const frozen = async (config: Config, layers: readonly SettingLayer[]): Promise<string> =>
    canonicalJson((await readSettings(remembered, config, layers)).frozen);
  const affected: string[] = [];
  for await (const config of everyConfig(store)) {
    if (config.version === null || !(await readsAny(remembered, config, keys))) continue;
    if ((await frozen(config, before)) !== (await frozen(config, after))) affected.push(config.id);
  }
  // In one order, so that two who hold several never wait for each other.
  return affected.toSorted();
}

async function readsAny(store: Pick<Repositories, 'templates'>, config: Config, keys: readonly string[]) {
  const { name, version } = config.template;
  // A template that is gone keeps its config from being made, whatever the settings.
  const found = isPlain(config) ? undefined : await findTemplate(store, name, version).catch(() => null);
  if (found === null) return false;
  const read = new Set(keysReadBy({ template: found?.template }));
  return keys.some((key) => read.has(key));
}

interface Judged {
  readonly version: MadeVersion;
  readonly findings: Awaited<ReturnType<PolicyJudge['judge']>>;
}

interface Remade {
  readonly config: Config;
  /** What came of it; a problem where the config has another fault than this change. */
  readonly made: Judged | ProblemError;
}

/** Most of the time of a config goes by in the engine's check, which is a program of its own. */
const together = 4;

async function remake(
  { store, versions, judge }: SettingsChangesDeps,
  ids: readonly string[],
  before: readonly SettingLayer[],
  change: PlannedChange,
): Promise<Remade[]> {
  const make = async (config: Config, layers: readonly SettingLayer[]): Promise<Judged | ProblemError> => {
    try {
      const inputs = await versions.inputsNow(config, layers);
      const how = { testsBlock: config.tests_block };
      const version = await versions.make(inputs, await serversOf(store, config.id), how);
      const findings = await judge.judge(config, version);
      refuseDenied(findings, 'Choose another value, or change the policy.');
      return { version, findings };
    } catch (error) {
      if (error instanceof ProblemError) return error;
      throw error;
    }
  };
  const remakeOne = async (id: string): Promise<Remade | undefined> => {
    const config = await store.configs.find(id);
    if (!config) return undefined;
    const made = await make(config, change.after);
    const isBroken = made instanceof ProblemError;
    // A config that has another fault already is in nobody's way.
    if (isBroken && !change.isCertain && !((await make(config, before)) instanceof ProblemError))
      throw new ProblemError('settings.breaks-config', `${config.name}: ${made.message}`, {
        details: { config: config.name, code: made.code, keys: change.keys },
        cause: made,
      });
    return { config, made };
  };
  const remade: Remade[] = [];
  for (let start = 0; start < ids.length; start += together) {
    const some = await Promise.all(ids.slice(start, start + together).map(remakeOne));
    remade.push(...some.filter((one) => one !== undefined));
  }
  return remade;
}

const byName = (a: ChangedConfig | KeptConfig, b: ChangedConfig | KeptConfig): number => (a.name < b.name ? -1 : 1);

async function storeAll(
  { store, versions }: SettingsChangesDeps,
  remade: readonly Remade[],
  { scope, keys, version, write, author, message }: PlannedChange,
): Promise<ChangeOutcome> {
  return await store.transaction(async (tx) => {
    const configs: ChangedConfig[] = [];
    const kept: KeptConfig[] = [];
    await write(tx);
    await tx.events.add('settings.changed', { scope, keys: [...keys], version });
    for (const { config, made } of remade) {
      const now = await tx.configs.find(config.id);
      if (!now) continue;
      if (made instanceof ProblemError) {
        const failure = { code: made.code, detail: made.message };
        await tx.events.add('config.generate-failed', { config_id: config.id, ...failure });
        kept.push({ name: now.name, ...failure });
        continue;
      }
      const stored = await versions.store(tx, now, made.version, { author, message, findings: made.findings });
      if (stored.created) configs.push({ name: now.name, version: stored.version.version });
      if (now.auto_deploy) await markUnfinished(tx, config.id);
    }
    return { configs: configs.toSorted(byName), kept: kept.toSorted(byName) };
  });
}

/** What is there with other values of one layer. */
export const withLayer = (
  layers: readonly SettingLayer[],
  { layer, scope, values, since }: SettingLayer,
): SettingLayer[] =>
  sortLayers([
    ...layers.filter((one) => one.layer !== layer || one.scope !== scope || one.since !== since),
    ...(Object.keys(values).length === 0 ? [] : [{ layer, scope, values, ...(since === undefined ? {} : { since }) }]),
  ]);
