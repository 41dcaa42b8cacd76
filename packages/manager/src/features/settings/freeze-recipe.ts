import { settingKeys } from '@sbox/protocol';
import type { Template } from '@sbox/protocol/pipeline';
import type { ConfigSettings, WrittenSettings } from '../configs/rendering.ts';
import { freeze, type FrozenLayer } from './freeze.ts';
import type { SettingLayer, SettingValues } from './layers.ts';
import {
  completeSettings,
  completeValue,
  configKeys,
  defaultsLayer,
  isParamKey,
  paramKey,
  paramName,
  writtenValues,
} from './setting-keys.ts';

/** What of a recipe decides which settings it reads, and what it says itself. */
export interface SettingsReader {
  readonly engine: string;
  readonly settings: WrittenSettings;
  readonly params: Readonly<Record<string, unknown>>;
  /** Undefined for a config that is made from its settings. */
  readonly template: Pick<Template, 'params'> | undefined;
}

export interface FrozenRecipe {
  /** As they are for nobody in particular. */
  readonly settings: ConfigSettings;
  readonly params: Readonly<Record<string, unknown>>;
  readonly layers: readonly FrozenLayer[];
}

/** The keys that a config looks at. */
export const keysReadBy = ({ template }: Pick<SettingsReader, 'template'>): string[] => [
  ...configKeys.filter((key) => template === undefined || settingKeys[key].readers === 'all'),
  ...Object.keys(template?.params ?? {}).map(paramKey),
];

export const recipeLayer = ({ settings, params }: Pick<SettingsReader, 'settings' | 'params'>): SettingLayer => ({
  layer: 'recipe',
  scope: '',
  values: {
    ...writtenValues(settings),
    // An empty parameter is one that was not given.
    ...Object.fromEntries(
      Object.entries(params).flatMap(([name, value]) => (value === null ? [] : [[paramKey(name), value]])),
    ),
  },
});

/** Layers as a version of this recipe keeps them. `layers` are without defaults and recipe. */
export function freezeRecipe(layers: readonly SettingLayer[], reader: SettingsReader): FrozenRecipe {
  const recipe = recipeLayer(reader);
  const keys = keysReadBy(reader);
  const complete = [
    defaultsLayer,
    recipe,
    ...layers.filter(({ values }) => keys.some((key) => Object.hasOwn(values, key))),
  ];
  const frozen = freeze(
    complete.map((layer) => completeLayer(layer, keys)),
    keys,
    reader.engine,
  );
  const base = Object.entries(frozen.base);
  const own = Object.fromEntries(base.filter(([key]) => !isParamKey(key)));
  const params = base
    .filter(([key]) => isParamKey(key))
    .map(([key, value]): [string, unknown] => [paramName(key), value]);
  return {
    settings: completeSettings({ ...writtenValues(reader.settings), ...own }),
    params: { ...reader.params, ...Object.fromEntries(params) },
    layers: frozen.layers,
  };
}

function completeLayer(layer: SettingLayer, keys: readonly string[]): SettingLayer {
  if (layer.layer === 'default') return layer;
  const read = Object.entries(layer.values).filter(([key]) => keys.includes(key));
  const values: SettingValues = Object.fromEntries(read.map(([key]) => [key, completedValue(layer.values, key)]));
  return { ...layer, values };
}

/** A change asks about the same layers for each config: what is known of them is kept as long as they are. */
const completed = new WeakMap<SettingValues, Map<string, unknown>>();

function completedValue(values: SettingValues, key: string): unknown {
  const known = completed.get(values) ?? new Map<string, unknown>();
  completed.set(values, known);
  if (!known.has(key)) known.set(key, completeValue(key, values[key]));
  return known.get(key);
}
