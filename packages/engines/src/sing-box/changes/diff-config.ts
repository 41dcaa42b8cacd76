import { asRecord, recordsIn, tagOf, textsIn, type Json } from '../document.ts';
import type { ChangedGroup, ConfigDiff, Renamed, TaggedDiff } from './config-diff.ts';
import { diffLists, type ListDiff, type ListItem } from './diff-lists.ts';
import { changedFields, isSame } from './changed-fields.ts';
import { diffSummary } from './diff-summary.ts';
import { referencesIn } from '../checks/references.ts';
import { ruleText } from '../routes/rule-text.ts';

export interface DiffOptions {
  /** A word to count nodes by, such as the country. */
  readonly describeNode?: (tag: string) => string | undefined;
  /** Ids of nodes by tag; a node with the same id and another tag was renamed, whatever else changed. */
  readonly ids?: { readonly before: ReadonlyMap<string, string>; readonly after: ReadonlyMap<string, string> };
}

/** What two configurations mean differently; the order of fields, and names that only moved along, mean nothing. */
export function diffConfigs(before: unknown, after: unknown, options: DiffOptions = {}): ConfigDiff {
  const renamed = renamedNodes(nodesOf(asRecord(before)), nodesOf(asRecord(after)), options.ids);
  const old = withNewNames(asRecord(before), new Map(renamed.map(({ from, to }) => [from, to])));
  const now = asRecord(after);
  const [oldRoute, nowRoute] = [asRecord(old['route']), asRecord(now['route'])];
  const diff = {
    outbounds: { ...diffTagged(nodesOf(old), nodesOf(now)), renamed },
    groups: diffGroups(groupsOf(old), groupsOf(now)),
    rules: diffRules(oldRoute['rules'], nowRoute['rules']),
    rule_sets: diffTagged(byTag(oldRoute['rule_set']), byTag(nowRoute['rule_set'])),
    dns: diffDns(asRecord(old['dns']), asRecord(now['dns'])),
    inbounds: diffTagged(byTag(old['inbounds']), byTag(now['inbounds'])),
    other: changedFields(otherOf(old), otherOf(now), ''),
  };
  const [were, are] = [nodesOf(asRecord(before)), nodesOf(now)];
  const typeOf = (tag: string): string => String((are.get(tag) ?? were.get(tag))?.['type']);
  return { ...diff, summary: diffSummary(diff, { typeOf, describeNode: options.describeNode }) };
}

type Tagged = ReadonlyMap<string, Json>;

const byTag = (list: unknown): Tagged => new Map(recordsIn(list).map((item, index) => [tagOf(item, index), item]));
const isGroup = ({ type }: Json): boolean => type === 'selector' || type === 'urltest';
const outboundsOf = (config: Json): [string, Json][] => [...byTag(config['outbounds']), ...byTag(config['endpoints'])];
const nodesOf = (config: Json): Tagged => new Map(outboundsOf(config).filter(([, item]) => !isGroup(item)));
const groupsOf = (config: Json): Tagged => new Map(outboundsOf(config).filter(([, item]) => isGroup(item)));

function diffTagged(old: Tagged, now: Tagged): TaggedDiff {
  return {
    added: [...now.keys()].filter((tag) => !old.has(tag)),
    removed: [...old.keys()].filter((tag) => !now.has(tag)),
    changed: [...now].flatMap(([tag, item]) => {
      const earlier = old.get(tag);
      const fields = earlier === undefined ? [] : changedFields(earlier, item, '');
      return fields.length === 0 ? [] : [{ tag, fields }];
    }),
  };
}

/** By id where ids are given, else by being the same in everything but the name. */
function renamedNodes(old: Tagged, now: Tagged, ids: DiffOptions['ids']): Renamed[] {
  const gone = [...old].filter(([tag]) => !now.has(tag));
  const came = [...now].filter(([tag]) => !old.has(tag));
  const keyOf =
    (of: ReadonlyMap<string, string> | undefined) =>
    ([tag, item]: [string, Json]) =>
      of?.get(tag) ?? canonical({ ...item, tag: '' });
  const waiting = Map.groupBy(gone, keyOf(ids?.before));
  return came.flatMap((entry) => {
    const partner = waiting.get(keyOf(ids?.after)(entry))?.shift();
    return partner === undefined ? [] : [{ from: partner[0], to: entry[0] }];
  });
}

/** A copy in which what was renamed since has its new name everywhere. */
function withNewNames(config: Json, names: ReadonlyMap<string, string>): Json {
  if (names.size === 0) return config;
  const copy = structuredClone(config);
  const done = new Set<unknown>();
  for (const { kind, tag, field, holder } of referencesIn(copy)) {
    const name = kind === 'outbound' ? names.get(tag) : undefined;
    const value = holder[field];
    if (name === undefined || done.has(value)) continue;
    if (Array.isArray(value)) {
      const renamed: unknown[] = value.map((item: unknown) => names.get(String(item)) ?? item);
      holder[field] = renamed;
      // A list is written anew once for all of its names.
      done.add(renamed);
    } else if (value === tag) holder[field] = name;
  }
  for (const item of [...recordsIn(copy['outbounds']), ...recordsIn(copy['endpoints'])]) {
    const name = typeof item['tag'] === 'string' ? names.get(item['tag']) : undefined;
    if (name !== undefined) item['tag'] = name;
  }
  return copy;
}

function diffGroups(old: Tagged, now: Tagged): ConfigDiff['groups'] {
  const { added, removed } = diffTagged(old, now);
  const changed = [...now].flatMap(([tag, item]): ChangedGroup[] => {
    const earlier = old.get(tag);
    if (earlier === undefined || isSame(earlier, item)) return [];
    const [were, are] = [textsIn(earlier['outbounds']), textsIn(item['outbounds'])];
    const [had, has] = [new Set(were), new Set(are)];
    const members_added = are.filter((member) => !had.has(member));
    const members_removed = were.filter((member) => !has.has(member));
    // A list that only grew or shrank is told by its members; one in another order by its field.
    const isTold = members_added.length + members_removed.length > 0;
    const fields = changedFields(earlier, item, '').filter((field) => field !== 'outbounds' || !isTold);
    return [{ tag, fields, members_added, members_removed }];
  });
  return { added, removed, changed };
}

/** What a rule does, beside what it matches. */
const actionFields = new Set([
  'action',
  'outbound',
  'server',
  'method',
  'strategy',
  'rcode',
  'override_address',
  'override_port',
]);

const diffRules = (old: unknown, now: unknown): ListDiff => diffLists(listed(old), listed(now));

const listed = (rules: unknown): ListItem[] =>
  recordsIn(rules).map((rule) => ({
    key: canonical(rule),
    likeness: canonical(Object.fromEntries(Object.entries(rule).filter(([field]) => !actionFields.has(field)))),
    text: ruleText(rule),
  }));

function diffDns(old: Json, now: Json): ConfigDiff['dns'] {
  const rest = (dns: Json): Json => ({ ...dns, servers: undefined, rules: undefined });
  return {
    servers: diffTagged(byTag(old['servers']), byTag(now['servers'])),
    rules: diffRules(old['rules'], now['rules']),
    fields: changedFields(rest(old), rest(now), ''),
  };
}

function otherOf(config: Json): Json {
  const route = { ...asRecord(config['route']), rules: undefined, rule_set: undefined };
  return { ...config, outbounds: undefined, endpoints: undefined, inbounds: undefined, dns: undefined, route };
}

/** The same text for the same value, in whatever order its fields are. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
