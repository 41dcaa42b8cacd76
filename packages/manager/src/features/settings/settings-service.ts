import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { parseScope, printScope } from '@sbox/protocol';
import type { Template } from '@sbox/protocol/pipeline';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { readHidden } from '../hidden.ts';
import { checkRevision } from '../if-match.ts';
import { hideValue, hideValues, templatesFor } from './known-templates.ts';
import { isSame, resolve, recipient, type SettingLayer, type SettingValues } from './layers.ts';
import { checkValues, defaultsLayer } from './setting-keys.ts';
import { withLayer, type ChangeOutcome, type PlannedChange, type SettingsChanges } from './settings-changes.ts';
import { layerOf, startScopes, type StartScope, type StoredLayer, type StoredVersion } from './settings-repository.ts';

export interface SettingsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly changes: SettingsChanges;
}

export type SettingsService = ReturnType<typeof createSettingsService>;

interface Written {
  readonly scope: string;
  /** Undefined: whatever is there. */
  readonly ifMatch?: string;
  readonly values: (stored: SettingValues, templates: readonly Template[]) => SettingValues;
  /** Keys that are named; their templates have to be known. */
  readonly keys: readonly string[];
  readonly author: string;
  readonly message: string;
  readonly isCertain?: boolean;
}

/** Values of scopes: each change of one is a version that stays. */
export function createSettingsService({ store, clock, changes }: SettingsDeps) {
  const write = async (written: Written): Promise<ChangeOutcome> =>
    await changes.apply(async (before) => await planWrite(store, isoTime(clock.now()), written, before));
  const changed = async (scope: string, outcome: ChangeOutcome) => ({
    ...(await view(store, scope, false)),
    ...outcome,
  });
  const replaceAll = async (scope: string, ifMatch: string, values: SettingValues, why: Why) =>
    await write({ scope, ifMatch, keys: Object.keys(values), values: unhide(values), ...why });

  return {
    ...readsOf(store),
    async replace(scope: string, ifMatch: string, values: SettingValues, why: Why) {
      const name = await storedScope(store, scope);
      return await changed(name, await replaceAll(name, ifMatch, values, why));
    },
    async update(scope: string, ifMatch: string, patch: SettingValues, why: Why) {
      const name = await storedScope(store, scope);
      const keys = Object.keys(patch);
      const values: Written['values'] = (stored, templates) => {
        const merged = Object.entries({ ...stored, ...patch }).filter(([, value]) => value !== null);
        return unhide(Object.fromEntries(merged))(stored, templates);
      };
      return await changed(name, await write({ scope: name, ifMatch, keys, values, ...why }));
    },
    async remove(scope: string, ifMatch: string, author: string): Promise<void> {
      await replaceAll(await storedScope(store, scope), ifMatch, {}, { author, message: '' });
    },
    async rollback(scope: string, version: number, { author, message }: Why) {
      const name = await storedScope(store, scope);
      const { values } = await findVersion(store, name, version);
      const why = { author, message: message || `version ${version} again` };
      return await changed(name, await write({ scope: name, keys: Object.keys(values), values: () => values, ...why }));
    },
    /** Takes away what was written for something that is gone, for good or for a while, in one change. */
    async forget(scope: string): Promise<void> {
      await changes.apply(async (before) => await planForgetting(store, isoTime(clock.now()), scope, before));
    },
    /** What the manager was started with, before anybody is answered; a config it breaks keeps its version. */
    async started(values: Readonly<Record<StartScope, SettingValues>>): Promise<void> {
      for (const scope of startScopes) {
        const given = values[scope];
        const message = scope === 'file' ? 'defaults of the settings file changed' : 'variables of defaults changed';
        const why = { author: 'manager', message, isCertain: true };
        await write({ scope, keys: Object.keys(given), values: () => given, ...why });
      }
    },
  };
}

/** What was written. */
function readsOf(store: Store) {
  return {
    async list(query: PageQuery, reveal: boolean) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.settings.list(page), page.limit, ({ scope }) => [scope]);
      return { items: await Promise.all(items.map(async (layer) => await show(store, layer, reveal))), next_cursor };
    },
    get: async (scope: string, reveal: boolean) => await view(store, await storedScope(store, scope), reveal),
    async versions(scope: string, query: PageQuery, reveal: boolean) {
      const page = readPage(query);
      const rows = await store.settings.listVersions(await storedScope(store, scope), page);
      const { items, next_cursor } = toPage(rows, page.limit, ({ version }) => [version]);
      const templates = await templatesFor(
        store,
        items.flatMap(({ values }) => Object.keys(values)),
      );
      const shown = items.map(({ values, ...row }) => ({
        ...omit(row, 'scope'),
        values: reveal ? values : hideValues(values, templates),
      }));
      return { items: shown, next_cursor };
    },
    async diff(scope: string, to: number, against: number | undefined) {
      const name = await storedScope(store, scope);
      const from = against ?? to - 1;
      const newer = (await findVersion(store, name, to)).values;
      const older = from === 0 ? {} : (await findVersion(store, name, from)).values;
      const keys = changedKeys(older, newer);
      const templates = await templatesFor(store, keys);
      const shown = (values: SettingValues, key: string): unknown =>
        Object.hasOwn(values, key) ? hideValue(key, values[key], templates) : null;
      const rows = keys.map((key) => ({ key, before: shown(older, key), after: shown(newer, key) }));
      return { scope: name, from, to, changes: rows };
    },
    /** What holds for nobody in particular, or a fallback where no layer says anything. */
    async value(key: string, fallback: unknown): Promise<unknown> {
      return valueOf([defaultsLayer, ...(await store.settings.layers())], key) ?? fallback;
    },
  };
}

async function planWrite(
  store: Store,
  now: string,
  { scope, ifMatch = '*', author, message, isCertain = false, ...written }: Written,
  before: readonly SettingLayer[],
): Promise<PlannedChange | undefined> {
  const stored = await store.settings.find(scope);
  checkRevision(ifMatch, stored?.version ?? 0);
  const old = stored?.values ?? {};
  const templates = await templatesFor(store, [...written.keys, ...Object.keys(old)]);
  const values = sortKeys(written.values(old, templates));
  const keys = changedKeys(old, values);
  if (keys.length === 0) return undefined;
  const news = Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key)));
  if (!isCertain) checkValues(news, templates, scope);
  const version = (stored?.version ?? 0) + 1;
  const entry: StoredVersion = { scope, version, values, changed: keys, author, message, created_at: now };
  return {
    scope,
    keys,
    version,
    after: withLayer(before, layerOf(scope, values)),
    write: async (tx) => await tx.settings.write(entry),
    author,
    message: reasonOf(scope, keys, message),
    isCertain,
  };
}

async function planForgetting(
  { settings }: Pick<Store, 'settings'>,
  created_at: string,
  scope: string,
  before: readonly SettingLayer[],
): Promise<PlannedChange | undefined> {
  const stored = await settings.find(scope);
  const changed = Object.keys(stored?.values ?? {});
  const overrides = await settings.overridesOf(scope);
  const keys = [...new Set([...changed, ...overrides.map(({ key }) => key)])].toSorted();
  if (keys.length === 0) return undefined;
  const version = changed.length === 0 ? null : (stored?.version ?? 0) + 1;
  const why = { author: 'manager', message: `${scope} was deleted` };
  return {
    scope,
    keys,
    version,
    after: before.filter((layer) => layer.scope !== scope),
    async write(tx) {
      if (version !== null) await tx.settings.write({ scope, version, values: {}, changed, ...why, created_at });
      for (const { id } of overrides) await tx.settings.removeOverride(id);
    },
    author: why.author,
    message: reasonOf(scope, keys, why.message),
    isCertain: true,
  };
}

export interface Why {
  readonly author: string;
  readonly message: string;
}

/** For nobody in particular. */
export const valueOf = (layers: readonly SettingLayer[], key: string): unknown =>
  resolve(layers, key, recipient())?.value;

/** A scope as values are kept for it: of a server or a client by its name, where its id was said too. */
export async function storedScope(
  { servers, clients }: Pick<Repositories, 'servers' | 'clients'>,
  text: string,
): Promise<string> {
  const scope = parseScope(text);
  if (scope.kind !== 'server' && scope.kind !== 'user') return printScope(scope);
  const found = await (scope.kind === 'server' ? servers : clients).find(scope.name);
  return printScope({ ...scope, name: found?.name ?? scope.name });
}

const reasonOf = (scope: string, keys: readonly string[], message: string): string => {
  const named = keys.length > 5 ? `${keys.slice(0, 5).join(', ')} and ${keys.length - 5} more` : keys.join(', ');
  return `settings of ${scope}: ${named}${message === '' ? '' : ` (${message})`}`.slice(0, 1000);
};

const sortKeys = (values: SettingValues): SettingValues =>
  Object.fromEntries(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1)));

const changedKeys = (before: SettingValues, after: SettingValues): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => Object.hasOwn(before, key) !== Object.hasOwn(after, key) || !isSame(before[key], after[key]))
    .toSorted();

/** A writer who read hidden values and sends them back means what is there. @throws ProblemError `request.invalid` */
const unhide =
  (given: SettingValues): Written['values'] =>
  (stored, templates) =>
    Object.fromEntries(
      Object.entries(given).map(([key, value]) => [
        key,
        readHidden(value, stored[key], (known) => hideValue(key, known, templates), key),
      ]),
    );

async function findVersion(
  { settings }: Pick<Repositories, 'settings'>,
  scope: string,
  version: number,
): Promise<StoredVersion> {
  const found = await settings.findVersion(scope, version);
  if (!found) throw new ProblemError('settings.version-not-found', `${scope} has no version ${version}`);
  return found;
}

async function view(store: Store, scope: string, reveal: boolean) {
  const stored = await store.settings.find(scope);
  if (stored) return await show(store, stored, reveal);
  return { scope, values: {}, version: 0, revision: 0, author: null, message: '', updated_at: null };
}

async function show(store: Store, { scope, values, version, updated_at }: StoredLayer, reveal: boolean) {
  const entry = await store.settings.findVersion(scope, version);
  const shown = reveal ? values : hideValues(values, await templatesFor(store, Object.keys(values)));
  const { author = null, message = '' } = entry ?? {};
  return { scope, values: shown, version, revision: version, author, message, updated_at };
}
