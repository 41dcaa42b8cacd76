import { ProblemError } from '@sbox/core';
import {
  constructFromEvents,
  defineScalarTag,
  EVENT_ID,
  FAILSAFE_SCHEMA,
  getScalarValue,
  mergeTag,
  parseEvents,
  YAMLException,
  type Event,
} from 'js-yaml';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { createLineCounter, forEachLine } from '../text/lines.ts';
import { clashNotNodes } from './clash-fields.ts';
import { readClashProxy } from './clash-proxy.ts';

/** Tagged scalars (`!<str> 0088`, `!!int 5`) stay text like all others. */
const anyTag = (prefix: string): ReturnType<typeof defineScalarTag<string>> =>
  defineScalarTag(prefix, { matchByTagPrefix: true, resolve: (source) => source, identify: () => false });

/**
 * Every scalar stays the text it was written as (`short-id: 0088` and `123e4567` are no numbers); what type a field has
 * is for our own tables to say.
 */
const schema = FAILSAFE_SCHEMA.withTags(mergeTag, anyTag('!'), anyTag('tag:'), anyTag('str'));
/** Each use of a merge copies the keys of what it names. */
const maxTotalMergeKeys = 2_000_000;

/** `proxies` of a Clash or mihomo configuration, or a bare list of proxies. */
export function readClash(text: string, collector: Collector, limits: Limits): void {
  const { maxDepth, maxAliases, maxNodes } = limits;
  let events: Event[];
  let root: unknown;
  try {
    events = parseEvents(text, { maxDepth });
    [root] = constructFromEvents(events, { source: text, schema, json: true, maxAliases, maxTotalMergeKeys });
  } catch (error) {
    refuseBeyondLimits(error, limits);
    readItemByItem(cutItems(text, maxNodes), collector, error);
    return;
  }
  for (const name of groupNames(root)) collector.addOther(name, 'a group');
  const items = proxiesOf(root);
  const inline = inlineProxies(root);
  for (const item of inline) addItem(item, 1, collector);
  if (items === undefined) {
    if (inline.length > 0) return;
    refuseProvidersOnly(root);
    return;
  }
  const starts = itemStarts(text, events);
  const lineAt = createLineCounter(text);
  const lines = starts.map(lineAt);
  for (const [index, item] of items.entries()) addItem(item, lines[index] ?? 1, collector);
}

function addItem(item: unknown, line: number, collector: Collector): void {
  const name = asMap(item)?.['name'];
  const known = typeof name === 'string' ? name : undefined;
  if (!isNotNode(item)) collector.add(line, describeProxy(item), () => readClashProxy(item), known);
  else if (known !== undefined) collector.addOther(known, 'no proxy');
}

/** A provider may be written out in the document itself; where its items stand is not looked for. */
function inlineProxies(root: unknown): readonly unknown[] {
  const providers = Object.values(asMap(asMap(root)?.['proxy-providers']) ?? {});
  return providers.flatMap((provider) => {
    const { type, payload } = asMap(provider) ?? {};
    return type === 'inline' && Array.isArray(payload) ? (payload as unknown[]) : [];
  });
}

/**
 * js-yaml says only in words which of its limits was passed.
 * @throws ProblemError `subscription.too-deep`, `subscription.too-many-aliases`
 */
function refuseBeyondLimits(error: unknown, { maxDepth, maxAliases }: Limits): void {
  const reason = error instanceof YAMLException ? error.reason : '';
  if (reason.includes('exceeded maxDepth')) {
    throw new ProblemError('subscription.too-deep', `the YAML is nested deeper than ${maxDepth} levels`, {
      details: { max_depth: maxDepth },
    });
  }
  if (reason.includes('exceeded maxAliases') || reason.includes('exceeded maxTotalMergeKeys')) {
    throw new ProblemError('subscription.too-many-aliases', 'the YAML repeats its parts by aliases too often', {
      details: { max_aliases: maxAliases },
    });
  }
}

/** @throws ProblemError `subscription.no-nodes` */
function refuseProvidersOnly(root: unknown): void {
  if (asMap(asMap(root)?.['proxy-providers']) === undefined) return;
  throw new ProblemError(
    'subscription.no-nodes',
    'it lists no nodes itself, only addresses of other subscriptions (proxy-providers): add those',
    { details: { format: 'clash', rejected: [] } },
  );
}

function groupNames(root: unknown): readonly string[] {
  const groups = asMap(root)?.['proxy-groups'];
  return (Array.isArray(groups) ? groups : [])
    .map((group) => asMap(group)?.['name'])
    .filter((name) => typeof name === 'string');
}

/** One proxy as a flow map on a line of its own. @throws ProblemError `node.*` */
export function readClashLine(line: string): NodeDraft {
  let item: unknown;
  try {
    [item] = constructFromEvents(parseEvents(line, { maxDepth: 16 }), {
      source: line,
      schema,
      json: true,
      maxAliases: 0,
    });
  } catch (error) {
    throw new ProblemError('node.malformed', 'the line begins like a map of settings and is none', { cause: error });
  }
  return readClashProxy(Array.isArray(item) ? item[0] : item);
}

const asMap = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

function proxiesOf(root: unknown): readonly unknown[] | undefined {
  if (Array.isArray(root)) return root;
  const map = asMap(root) ?? {};
  const proxies = Object.hasOwn(map, 'proxies') ? map['proxies'] : Object.hasOwn(map, 'Proxy') ? map['Proxy'] : root;
  if (Array.isArray(proxies)) return proxies;
  // One proxy alone, as JSON over several lines.
  if (proxies === root && Object.hasOwn(map, 'type') && Object.hasOwn(map, 'server')) return [root];
  return undefined;
}

const isNotNode = (item: unknown): boolean => clashNotNodes.has(String(asMap(item)?.['type']).toLowerCase());

function describeProxy(item: unknown): string {
  const { name, type } = asMap(item) ?? {};
  return [type, name].filter((part) => typeof part === 'string').join(' ');
}

/** Where the items of the proxies begin in the text. */
function itemStarts(text: string, events: readonly Event[]): readonly number[] {
  const starts: number[] = [];
  let depth = 0;
  let key = '';
  let listDepth = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      depth -= 1;
      if (depth < listDepth) return starts;
      continue;
    }
    const start = startOf(event);
    if (listDepth > 0 && depth === listDepth) starts.push(start ?? starts.at(-1) ?? 0);
    if (event.type === EVENT_ID.SCALAR && depth === 2) key = getScalarValue(text, event);
    if (event.type === EVENT_ID.ALIAS || event.type === EVENT_ID.SCALAR) continue;
    depth += 1;
    const isProxies = depth === 2 || (depth === 3 && (key === 'proxies' || key === 'Proxy'));
    if (listDepth === 0 && event.type === EVENT_ID.SEQUENCE && isProxies) listDepth = depth;
  }
  return starts;
}

function startOf(event: Event): number | undefined {
  if (event.type === EVENT_ID.SCALAR) return event.valueStart;
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart;
  return event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP ? undefined : event.start;
}

/**
 * One broken proxy breaks the whole YAML text, so then each item of the list is read by itself and only the broken
 * ones are lost. @throws ProblemError `subscription.unknown-format` when there is no such list.
 */
function readItemByItem(items: readonly ItemSource[], collector: Collector, cause: unknown): void {
  if (items.length === 0) {
    throw new ProblemError('subscription.unknown-format', 'it looks like Clash YAML, but it is not valid YAML', {
      cause,
    });
  }
  for (const { line, source } of items) collector.add(line, source, () => readClashLine(source));
}

interface ItemSource {
  readonly line: number;
  readonly source: string;
}

/** @throws ProblemError `subscription.too-many-nodes`: a broken item takes longer than a good one, so there is a limit too. */
function cutItems(text: string, maxItems: number): readonly ItemSource[] {
  const items: { line: number; source: string }[] = [];
  let indent: string | undefined;
  let isInside = false;
  forEachLine(text, (line, number) => {
    const isHead = /^(?:proxies|Proxy)\s*:/.test(line);
    if (isHead || /^[^\s#-]/.test(line)) isInside = isHead;
    const dash = isInside ? /^(\s*)-\s/.exec(line)?.[1] : undefined;
    const last = items.at(-1);
    if (dash !== undefined && (indent ??= dash) === dash) items.push({ line: number, source: line });
    else if (isInside && !isHead && last !== undefined) last.source += `\n${line}`;
    if (items.length > maxItems) {
      throw new ProblemError('subscription.too-many-nodes', `there are more than ${maxItems} proxies`, {
        details: { max_nodes: maxItems },
      });
    }
  });
  return items;
}
