import { redactedMark } from '@sbox/core';
import { hideSecrets, readyTemplates } from '@sbox/pipeline';
import type { Template } from '@sbox/protocol/pipeline';
import type { Repositories } from '../../database/store.ts';
import type { Config } from '../configs/configs-repository.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { SettingValues } from './layers.ts';
import { isParamKey, paramName } from './setting-keys.ts';

type Found = Pick<Repositories, 'templates' | 'configs'>;

const pageSize = 500;

/** Every config, in pages. */
export async function* everyConfig({ configs }: Pick<Repositories, 'configs'>): AsyncGenerator<Config> {
  let after: readonly [string] | undefined;
  for (;;) {
    const rows = await configs.list({ limit: pageSize, after, projects: undefined });
    for (const config of rows.slice(0, pageSize)) yield config;
    const last = rows[pageSize - 1];
    if (rows.length <= pageSize || last === undefined) return;
    after = [last.name];
  }
}

/** A template that is read for many configs is read once. */
export function rememberTemplates({ templates }: Pick<Repositories, 'templates'>): Pick<Repositories, 'templates'> {
  const found = new Map<string, ReturnType<typeof templates.find>>();
  const versions = new Map<string, ReturnType<typeof templates.findVersion>>();
  const once = <T>(known: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> => {
    const before = known.get(key);
    if (before) return before;
    const reading = read();
    known.set(key, reading);
    return reading;
  };
  return {
    templates: {
      ...templates,
      find: async (name) => await once(found, name, async () => await templates.find(name)),
      findVersion: async (name, version) =>
        await once(versions, `${name}@${version}`, async () => await templates.findVersion(name, version)),
    },
  };
}

/** The newest version of every template there is, and the others that configs are held to. */
export async function knownTemplates(store: Found): Promise<Template[]> {
  const remembered = rememberTemplates(store);
  const known = new Map<string, Template>();
  let after: readonly [string] | undefined;
  for (;;) {
    const rows = await store.templates.list({ limit: pageSize, after, projects: undefined });
    for (const { name, version } of rows.slice(0, pageSize)) {
      const found = await remembered.templates.findVersion(name, version);
      if (found) known.set(`${name}@${version}`, found.template);
    }
    const last = rows[pageSize - 1];
    if (rows.length <= pageSize || last === undefined) break;
    after = [last.name];
  }
  const own = new Set([...known.values()].map(({ name }) => name));
  for (const ready of readyTemplates) if (!own.has(ready.name)) known.set(ready.name, ready);
  for await (const { template } of everyConfig(store)) {
    const { name, version } = template;
    if (version === undefined || known.has(`${name}@${version}`)) continue;
    const found = await findTemplate(remembered, name, version).catch(() => undefined);
    if (found) known.set(`${name}@${version}`, found.template);
  }
  return [...known.values()];
}

/** The templates, where values need them at all. */
export const templatesFor = async (store: Found, keys: readonly string[]): Promise<Template[]> =>
  keys.some(isParamKey) ? await knownTemplates(store) : [];

/** A value for people to look at: hidden where a template says that it is a secret, or where none knows it any more. */
export function hideValue(key: string, value: unknown, templates: readonly Template[]): unknown {
  if (!isParamKey(key) || value === undefined || value === null) return value;
  const name = paramName(key);
  const declaring = templates.filter(({ params }) => Object.hasOwn(params, name));
  if (declaring.length === 0) return redactedMark;
  return declaring.reduce<unknown>((shown, { params }) => hideSecrets({ params }, { [name]: shown })[name], value);
}

export const hideValues = (values: SettingValues, templates: readonly Template[]): SettingValues =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, hideValue(key, value, templates)]));
