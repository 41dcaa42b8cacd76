import { ProblemError } from '@sbox/core';
import {
  checkReferences,
  deprecationsIn,
  isRecord,
  type Deprecation,
  type Finding,
  type Json,
} from '@sbox/engines/sing-box/render';
import { defaultLimits, parseJsonc, parseSubscription, type ParseDeps } from '@sbox/formats';
import type { PlainParamSpec, Template } from '@sbox/protocol/pipeline';

/** What an engine's own file turned out to be. */
export interface Adopted {
  /** Its first render, without subscriptions, is the same document. */
  readonly template: Template;
  /** Outbounds and endpoints that are nodes: they can move to a subscription. */
  readonly nodes: readonly { readonly tag: string; readonly node_id: string }[];
  /** Groups that nodes of subscriptions can join: the values that the parameter `nodes_in` takes. */
  readonly groups: readonly string[];
  /** The group that most connections go through, if it is one. */
  readonly main_group?: string;
  /** What the reference check says about the document as it is. */
  readonly findings: readonly Finding[];
  /** What the engine that it is meant for warns about, or no longer takes. */
  readonly deprecations: readonly Deprecation[];
}

export interface AdoptOptions {
  /** Of the template. */
  readonly name: string;
  /** The engine that the document is meant for, e.g. `1.14.4`; without it nothing is deprecated. */
  readonly engine_version?: string;
}

/**
 * Makes a template of an existing sing-box configuration (JSON, comments and trailing commas allowed). Nodes of
 * subscriptions stand behind its own outbounds and join the groups that the parameter `nodes_in` names.
 * @throws ProblemError `template.invalid` when the text is no such configuration
 */
export function adoptConfig(text: string, { name, engine_version }: AdoptOptions, deps: ParseDeps): Adopted {
  const document = readDocument(text);
  const items: readonly unknown[] = Array.isArray(document['outbounds']) ? document['outbounds'] : [];
  const groups = items.filter(isGroup).map(({ tag }) => String(tag));
  const main = mainGroup(document, items, groups);
  // A group without members would still have none: the document could not come back as it was.
  const isBare = items.some((item) => isGroup(item) && item['tag'] === main && isEmptyList(item['outbounds']));
  const template: Template = {
    name,
    engine: 'sing-box',
    description: 'Made from an existing configuration.',
    params: { nodes_in: nodesIn(groups, isBare ? undefined : main) },
    document: withSlots(escaped(document, '') as Json),
  };
  return {
    template,
    nodes: nodesOf(text, deps),
    groups,
    ...(main === undefined ? {} : { main_group: main }),
    findings: checkReferences(document),
    deprecations: engine_version === undefined ? [] : deprecationsIn(document, engine_version),
  };
}

function readDocument(text: string): Json {
  const value = parseJsonc(text.replace(/^\uFEFF/, ''), defaultLimits.maxDepth)?.value;
  if (!isRecord(value))
    throw new ProblemError('template.invalid', 'it is not a sing-box configuration: no JSON object');
  for (const key of ['inbounds', 'outbounds', 'endpoints']) {
    if (value[key] !== undefined && !Array.isArray(value[key]))
      throw new ProblemError('template.invalid', `${key}: must be a list`, { details: { path: key } });
  }
  return value;
}

const isGroup = (item: unknown): item is Json =>
  isRecord(item) &&
  (item['type'] === 'selector' || item['type'] === 'urltest') &&
  typeof item['tag'] === 'string' &&
  Array.isArray(item['outbounds']);

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Where connections end that no rule takes: `route.final`, else the first outbound. */
function mainGroup(document: Json, items: readonly unknown[], groups: readonly string[]): string | undefined {
  const route = document['route'];
  const final = isRecord(route) ? route['final'] : undefined;
  const [first] = items;
  const tag = typeof final === 'string' && final !== '' ? final : isRecord(first) ? first['tag'] : undefined;
  return groups.find((group) => group === tag);
}

/** As many as a template may list. */
const maxEnumValues = 200;

function nodesIn(groups: readonly string[], main: string | undefined): Template['params'][string] {
  const description = 'Groups of the document that the nodes of subscriptions join.';
  const values = [...new Set(groups)];
  const items =
    values.length === 0 || values.length > maxEnumValues
      ? ({ type: 'string', description: 'A group.' } satisfies PlainParamSpec)
      : ({ type: 'enum', description: 'A group.', values } satisfies PlainParamSpec);
  return { type: 'list', description, items, default: main === undefined ? [] : [main] };
}

/** A `${` of the document is its own, and its `$` keys would be taken for ours. */
function escaped(value: unknown, path: string): unknown {
  if (typeof value === 'string') {
    if (value === '$nodes' || value === '$groups')
      throw new ProblemError('template.invalid', `${path}: "${value}" has a meaning in templates; rename it first`);
    return value.replaceAll('${', () => '$${');
  }
  if (Array.isArray(value)) return value.map((item, index) => escaped(item, `${path}[${index}]`));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const at = path === '' ? key : `${path}.${key}`;
      if (key.startsWith('$') && at !== '$schema')
        throw new ProblemError('template.invalid', `${at}: keys with $ have a meaning in templates; rename it first`);
      return [key, escaped(item, at)];
    }),
  );
}

/** An empty list has no place for them: what it renders to could not tell whether it was there. */
function withSlots(document: Json): Json {
  const { outbounds } = document;
  if (isEmptyList(outbounds)) return document;
  const own: readonly unknown[] = Array.isArray(outbounds) ? outbounds : [];
  const items = own.map((item: unknown) => {
    if (!isGroup(item)) return item;
    const slots = { $when: { $in: [item['tag'], '${nodes_in}'] }, $then: ['$groups', '$nodes'] };
    return { ...item, outbounds: [...(item['outbounds'] as unknown[]), slots] };
  });
  return { ...document, outbounds: [...items, { $groups: true }, { $nodes: true }] };
}

function nodesOf(text: string, deps: ParseDeps): Adopted['nodes'] {
  try {
    return parseSubscription(text, deps).nodes.map(({ tag, id }) => ({ tag, node_id: id }));
  } catch (error) {
    // A configuration without any node is one all the same.
    if (error instanceof ProblemError) return [];
    throw error;
  }
}
