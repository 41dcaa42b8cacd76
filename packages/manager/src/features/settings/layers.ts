import {
  canonicalJson,
  matchesSelector,
  parseScope,
  scopeKinds,
  settingLayers,
  type ScopeKind,
  type SettingLayerName,
  type SettingScope,
} from '@sbox/protocol';
import { noFacts, type ServerFacts } from '../servers/server-facts.ts';

/** Values by dotted keys. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** Values that one place gives. */
export interface SettingLayer {
  readonly layer: SettingLayerName;
  /** Empty for those that are not written for a scope: defaults, file, variables, the recipe. */
  readonly scope: string;
  readonly values: SettingValues;
  /** Of an override: what tells those of one scope apart, in the order in which they came. */
  readonly since?: string;
}

/** Whom values are looked up for. */
export interface Recipient extends ServerFacts {
  /** The kind of engine. */
  readonly service: string;
  /** Who takes the config as a client; empty for a server. */
  readonly user: string;
}

export const recipient = (facts: Partial<Recipient> = {}): Recipient => ({
  ...noFacts,
  service: 'sing-box',
  user: '',
  ...facts,
});

const parsed = new Map<string, SettingScope>();
const maxParsed = 5000;

/** Scopes are few and asked for each server of a deployment. */
function scopeOf(text: string): SettingScope {
  const known = parsed.get(text);
  if (known) return known;
  if (parsed.size >= maxParsed) parsed.clear();
  const scope = parseScope(text);
  parsed.set(text, scope);
  return scope;
}

/** Whether a layer has a say for somebody. */
export function applies({ scope: text }: Pick<SettingLayer, 'scope'>, who: Recipient): boolean {
  if (text === '') return true;
  const scope = scopeOf(text);
  if (scope.kind === 'global') return true;
  if (scope.kind === 'labels') return who.server !== '' && matchesSelector(scope.selector, who.labels);
  return who[scope.kind] === scope.name;
}

/** Whether a layer says the same to everybody who runs a config of this kind; false where it depends on who. */
export function isConstant({ scope: text }: Pick<SettingLayer, 'scope'>): boolean {
  if (text === '') return true;
  const { kind } = scopeOf(text);
  return kind === 'global' || kind === 'service';
}

const kindRank = (kind: ScopeKind): number => scopeKinds.indexOf(kind);

/** What decides between layers, the most important first. */
function rank({ layer, scope: text, since = '' }: SettingLayer): readonly (number | string)[] {
  if (text === '') return [settingLayers.indexOf(layer), 0, 0, '', ''];
  const scope = scopeOf(text);
  const conditions = scope.kind === 'labels' ? scope.selector.length : 0;
  return [settingLayers.indexOf(layer), kindRank(scope.kind), conditions, text, since];
}

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index] ?? '';
    if (part !== other) return part < other ? -1 : 1;
  }
  return 0;
}

/** The weakest first. A total order: two layers of one rank are one layer. */
export const sortLayers = (layers: readonly SettingLayer[]): SettingLayer[] =>
  layers
    .map((layer) => ({ layer, rank: rank(layer) }))
    .toSorted((a, b) => compare(a.rank, b.rank))
    .map(({ layer }) => layer);

/** What a layer says about a key; undefined when nothing. */
export const valueIn = ({ values }: Pick<SettingLayer, 'values'>, key: string): unknown =>
  Object.hasOwn(values, key) ? values[key] : undefined;

export interface Found {
  readonly value: unknown;
  readonly layer: SettingLayer;
}

/** The strongest layer that applies and says something about a key; `layers` are sorted. */
export function resolve(layers: readonly SettingLayer[], key: string, who: Recipient): Found | undefined {
  const layer = layers.findLast((one) => Object.hasOwn(one.values, key) && applies(one, who));
  return layer && { value: valueIn(layer, key), layer };
}

/** Every key that a layer says something about, sorted. */
export const keysIn = (layers: readonly SettingLayer[]): string[] =>
  [...new Set(layers.flatMap(({ values }) => Object.keys(values)))].toSorted();

export const isSame = (a: unknown, b: unknown): boolean => canonicalJson(a ?? null) === canonicalJson(b ?? null);

export interface ExplainedLayer {
  readonly layer: SettingLayerName;
  readonly scope: string;
  readonly value: unknown;
  readonly applies: boolean;
  readonly wins: boolean;
  readonly why: string;
}

/** Every layer that says something about a key, the strongest first, with the reason for its part in it. */
export function explain(layers: readonly SettingLayer[], key: string, who: Recipient): ExplainedLayer[] {
  const winner = resolve(layers, key, who)?.layer;
  return layers
    .filter(({ values }) => Object.hasOwn(values, key))
    .map((one) => ({
      layer: one.layer,
      scope: one.scope,
      value: valueIn(one, key),
      applies: applies(one, who),
      wins: one === winner,
      why: reasonOf(one, winner, who),
    }))
    .toReversed();
}

function reasonOf(layer: SettingLayer, winner: SettingLayer | undefined, who: Recipient): string {
  if (layer === winner) return 'wins';
  if (!applies(layer, who)) return `does not apply: ${missing(scopeOf(layer.scope), who)}`;
  const over = winner?.layer === 'override' ? `an override of ${winner.scope}` : winner?.scope || winner?.layer;
  const isOrdered = winner?.layer === layer.layer && layer.layer === 'labels';
  return isOrdered ? `loses to ${over}: more conditions, or later in the order of the text` : `loses to ${over}`;
}

function missing(scope: SettingScope, who: Recipient): string {
  if (scope.kind === 'global') return '';
  if (scope.kind === 'labels') return who.server === '' ? 'no server was asked for' : 'its labels are others';
  const own = who[scope.kind] ?? '';
  if (scope.kind === 'environment') return own === '' ? 'it is in no environment' : `it is in ${own}`;
  return own === '' ? `no ${scope.kind} was asked for` : `it is ${own}`;
}
