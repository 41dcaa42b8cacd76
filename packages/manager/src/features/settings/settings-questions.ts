import { ProblemError } from '@sbox/core';
import { settingKeys } from '@sbox/protocol';
import type { ParamSpec, Template } from '@sbox/protocol/pipeline';
import * as z from 'zod/mini';
import type { Repositories, Store } from '../../database/store.ts';
import type { Config } from '../configs/configs-repository.ts';
import { find } from '../configs/find-config.ts';
import { isPlain } from '../configs/inputs.ts';
import { factsOf } from '../servers/server-facts.ts';
import { findTemplate } from '../templates/templates-service.ts';
import { keysReadBy, recipeLayer } from './freeze-recipe.ts';
import { hideValue, knownTemplates } from './known-templates.ts';
import { explain, keysIn, recipient, resolve, sortLayers, type Recipient, type SettingLayer } from './layers.ts';
import { configKeys, defaultsLayer, isConfigKey, isParamKey, paramKey, paramName } from './setting-keys.ts';

/** Whom it is about; what is not said is nobody in particular. */
export interface AskedWho {
  readonly server?: string | undefined;
  readonly config?: string | undefined;
  readonly user?: string | undefined;
  readonly environment?: string | undefined;
}

export type SettingsQuestions = ReturnType<typeof createSettingsQuestions>;

/** Answers about settings; nothing is stored. */
export function createSettingsQuestions(store: Store) {
  return {
    async keys() {
      const templates = await knownTemplates(store);
      return { items: [...configKeys.map(describeKey), ...describeParams(templates)] };
    },
    async effective(asked: AskedWho, reveal: boolean) {
      const { layers, who, keys, templates } = await look(store, asked);
      const items = keys.flatMap((key) => {
        const found = resolve(layers, key, who);
        if (!found) return [];
        const { layer, scope } = found.layer;
        return [{ key, value: reveal ? found.value : hideValue(key, found.value, templates), layer, scope }];
      });
      return { items };
    },
    async explain(key: string, asked: AskedWho, reveal: boolean) {
      const { layers, who, templates } = await look(store, asked);
      const description = descriptionOf(key, templates);
      if (description === undefined && !keysIn(layers).includes(key))
        throw new ProblemError('settings.invalid-value', `${key}: there is no such setting`, {
          fix: 'List them: sboxmgr settings keys',
        });
      const shown = (value: unknown): unknown => (reveal ? value : hideValue(key, value, templates));
      const found = resolve(layers, key, who);
      return {
        key,
        value: found ? shown(found.value) : null,
        layer: found?.layer.layer ?? ('default' as const),
        scope: found?.layer.scope ?? '',
        description: description ?? '',
        layers: explain(layers, key, who).map((line) => ({ ...line, value: shown(line.value) })),
      };
    },
  };
}

interface Looked {
  readonly layers: readonly SettingLayer[];
  readonly who: Recipient;
  readonly keys: readonly string[];
  readonly templates: readonly Template[];
}

async function look(store: Store, { server, config: name, user = '', environment }: AskedWho): Promise<Looked> {
  const config = name === undefined ? undefined : await find(store, name);
  const known = server === undefined ? undefined : await store.servers.find(server);
  if (server !== undefined && !known) throw new ProblemError('server.not-found', `server ${server}`);
  const facts = known ? factsOf(known) : { environment: environment ?? null };
  const who = recipient({ ...facts, user, ...(config ? { service: config.engine } : {}) });
  const stored = await store.settings.layers();
  const templates = await knownTemplates(store);
  if (!config) {
    const layers = sortLayers([defaultsLayer, ...stored]);
    return { layers, who, keys: [...configKeys, ...keysIn(stored).filter(isParamKey)], templates };
  }
  const template = await templateOf(store, config);
  const recipe = recipeLayer({ settings: config.settings, params: config.template.params });
  const presets: SettingLayer = {
    layer: 'default',
    scope: '',
    values: { ...defaultsLayer.values, ...presetsOf(template) },
  };
  return { layers: sortLayers([presets, recipe, ...stored]), who, keys: keysReadBy({ template }), templates };
}

const templateOf = async (store: Pick<Repositories, 'templates'>, config: Config): Promise<Template | undefined> =>
  isPlain(config) ? undefined : (await findTemplate(store, config.template.name, config.template.version)).template;

const presetOf = (spec: ParamSpec): unknown => ('default' in spec ? spec.default : undefined);

const presetsOf = (template: Template | undefined): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(template?.params ?? {}).flatMap(([name, spec]) => {
      const preset = presetOf(spec);
      return preset === undefined ? [] : [[paramKey(name), preset]];
    }),
  );

const typeOf = (schema: z.ZodMiniType): string => {
  const { type, enum: values } = z.toJSONSchema(schema, { io: 'input' }) as { type?: string; enum?: string[] };
  return values ? values.join(' | ') : (type ?? 'any');
};

const readers = { all: 'every config', settings: 'configs that are made from their settings' } as const;

const describeKey = (key: (typeof configKeys)[number]) => {
  const row = settingKeys[key];
  return {
    key,
    type: typeOf(row.schema),
    description: row.description,
    default: defaultsLayer.values[key] ?? null,
    read_by: readers[row.readers],
    templates: [],
  };
};

function describeParams(templates: readonly Template[]) {
  const names = [...new Set(templates.flatMap(({ params }) => Object.keys(params)))].toSorted();
  return names.map((name) => {
    const declaring = templates.filter(({ params }) => Object.hasOwn(params, name));
    const specs = declaring.map(({ params }) => params[name] as ParamSpec);
    const types = new Set(specs.map(({ type }) => type));
    const presets = new Set(specs.map((spec) => JSON.stringify(presetOf(spec) ?? null)));
    return {
      key: paramKey(name),
      type: [...types].join(' | '),
      description: specs[0]?.description ?? '',
      // Where templates differ, there is no one default.
      default: presets.size === 1 ? (presetOf(specs[0] as ParamSpec) ?? null) : null,
      read_by: 'configs of these templates',
      templates: [...new Set(declaring.map((one) => one.name))].toSorted(),
    };
  });
}

function descriptionOf(key: string, templates: readonly Template[]): string | undefined {
  if (isConfigKey(key)) return settingKeys[key].description;
  if (!isParamKey(key)) return undefined;
  return templates.find(({ params }) => Object.hasOwn(params, paramName(key)))?.params[paramName(key)]?.description;
}
