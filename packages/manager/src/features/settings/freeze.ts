import type { SettingLayerName } from '@sbox/protocol';
import {
  applies,
  isConstant,
  isSame,
  keysIn,
  recipient,
  sortLayers,
  valueIn,
  type Recipient,
  type SettingLayer,
  type SettingValues,
} from './layers.ts';

/** A layer as a version keeps it: in its order, with what it could still change. */
export interface FrozenLayer {
  readonly layer: SettingLayerName;
  readonly scope: string;
  readonly values: SettingValues;
}

export interface FrozenSettings {
  /** What everybody gets whom no further layer is for. */
  readonly base: SettingValues;
  /** The weakest first; empty where nothing depends on who gets it. */
  readonly layers: readonly FrozenLayer[];
}

/**
 * What is left of layers once it is known what is read and which engine runs it: everything that depends on nobody is
 * decided, and what it decides for good is not kept. Two sets of layers that mean the same to every server freeze alike.
 */
export function freeze(layers: readonly SettingLayer[], keys: readonly string[], service: string): FrozenSettings {
  const who = recipient({ service });
  const sorted = sortLayers(layers).filter((layer) => !isConstant(layer) || applies(layer, who));
  const base: Record<string, unknown> = {};
  const kept = sorted.map((): Record<string, unknown> => ({}));
  for (const key of keys) {
    const saying = sorted.flatMap((layer, index) => (Object.hasOwn(layer.values, key) ? [{ layer, index }] : []));
    const constant = saying.findLastIndex(({ layer }) => isConstant(layer));
    const decided = saying[constant]?.layer;
    const value = decided && valueIn(decided, key);
    if (decided) base[key] = value;
    const above = saying.slice(constant + 1);
    // What only repeats the value below it changes nothing for anybody.
    const first = above.findIndex(({ layer }) => !decided || !isSame(valueIn(layer, key), value));
    if (first < 0) continue;
    for (const { layer, index } of above.slice(first))
      (kept[index] as Record<string, unknown>)[key] = valueIn(layer, key);
  }
  const frozen = sorted.flatMap(({ layer, scope }, index): FrozenLayer[] => {
    const values = kept[index] ?? {};
    return Object.keys(values).length === 0 ? [] : [{ layer, scope, values: sortKeys(values) }];
  });
  return { base: sortKeys(base), layers: frozen };
}

const sortKeys = (values: SettingValues): SettingValues =>
  Object.fromEntries(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** What somebody gets of frozen settings where it is not the base, sorted by key. */
export function differing({ base, layers }: FrozenSettings, who: Recipient): SettingValues {
  const found: Record<string, unknown> = {};
  for (const layer of layers) if (applies(layer, who)) Object.assign(found, layer.values);
  const differs = keysIn([{ layer: 'default', scope: '', values: found }]).filter(
    (key) => !Object.hasOwn(base, key) || !isSame(found[key], base[key]),
  );
  return Object.fromEntries(differs.map((key) => [key, found[key]]));
}
