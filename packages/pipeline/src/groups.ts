import type { Group, GroupMember } from '@sbox/engines/sing-box/render';
import type { OperatorOf } from '@sbox/protocol/pipeline';
import { countryName } from './countries/country-names.ts';
import { countryFlag } from './countries/flags.ts';
import { perKey } from './operators/step.ts';
import { compileQuery } from './query/compile-query.ts';
import type { NodeTest } from './query/node-fields.ts';
import { invalid, type CompilePattern } from './regex.ts';
import type { PipedNode } from './piped-node.ts';

/** Finds the members of a group among the nodes that are left at the end. */
export interface GroupMaker {
  /** As it is written, with its variables. */
  readonly tag: string;
  /** Makes one group for each country, subscription or protocol. */
  readonly isEach: boolean;
  make(nodes: readonly PipedNode[]): readonly Group[];
}

const builtins: ReadonlySet<string> = new Set(['direct', 'block']);

export function compileGroup(operator: OperatorOf<'group'>, pattern: CompilePattern): GroupMaker {
  if (operator.match === undefined && !operator.groups?.length) throw invalid('it has neither match nor groups');
  const isMember = operator.match === undefined ? () => false : compileQuery(operator.match, pattern);
  const isDefault = operator.default === undefined ? undefined : compileQuery(operator.default, pattern);
  if (isDefault && operator.type !== 'selector') throw invalid('only a selector has a default');
  if (builtins.has(operator.tag)) throw invalid(`"${operator.tag}" is the engine's own name`);
  const make = (tag: string, members: readonly PipedNode[]): Group => groupOf(operator, tag, members, isDefault);
  const { each, tag } = operator;
  if (each === undefined) return { tag, isEach: false, make: (nodes) => [make(tag, nodes.filter(isMember))] };
  const variables = each === 'country' ? /\{(?:value|flag|name)\}/ : /\{(?:value|name)\}/;
  if (!variables.test(tag))
    throw invalid(`with each, the tag needs {value}${each === 'country' ? ', {flag}' : ''} or {name}`);
  return {
    tag,
    isEach: true,
    make: (nodes) =>
      [...Map.groupBy(nodes.filter(isMember), perKey[each])].map(([value, members]) =>
        make(eachTag(tag, value, each === 'country'), members),
      ),
  };
}

/**
 * All groups over the nodes. A group that names another one as it is written gets all groups that were made of it. One
 * that `each` made gives way to another of its name with a number, because a new node of a provider may make it.
 * @throws ProblemError `pipeline.invalid` for a group that holds itself under the name that it got
 */
export function makeGroups(makers: readonly GroupMaker[], nodes: readonly PipedNode[]): Group[] {
  const tags = new Set(makers.filter(({ isEach }) => !isEach).map(({ tag }) => tag));
  const made = makers.map(({ tag, isEach, make }) => ({ tag, isEach, groups: make(nodes) }));
  const named = made.map((one) =>
    one.isEach ? { ...one, groups: one.groups.map((group) => renamed(group, tags)) } : one,
  );
  const parts = new Map(named.filter(({ isEach }) => isEach).map(({ tag, groups }) => [tag, groups]));
  const groups = named
    .flatMap((one) => one.groups)
    .map((group) => {
      const members = group.members.flatMap((member): readonly GroupMember[] => {
        const several = 'group' in member ? parts.get(member.group) : undefined;
        return several === undefined ? [member] : several.map(({ tag }) => ({ group: tag }));
      });
      return { ...group, members };
    });
  if (parts.size > 0)
    checkCircles(
      new Map(groups.map(({ tag, members }) => [tag, members.flatMap((one) => ('group' in one ? one.group : []))])),
    );
  return groups;
}

/** The group under a name that is free, which is taken then. */
function renamed(group: Group, taken: Set<string>): Group {
  let { tag } = group;
  for (let copy = 2; taken.has(tag); copy += 1) tag = `${group.tag} ${copy}`;
  taken.add(tag);
  return { ...group, tag };
}

function eachTag(template: string, value: string, isCountry: boolean): string {
  const country = isCountry && value !== 'none' ? value : undefined;
  const parts: Readonly<Record<string, string>> = {
    value,
    flag: countryFlag(country),
    name: isCountry ? countryName(country) || 'other' : value,
  };
  return template.replace(/\{(value|flag|name)\}/g, (_, name: string) => parts[name] ?? '').trim() || value;
}

function groupOf(
  { type, groups = [], url, interval, tolerance, empty = 'omit' }: OperatorOf<'group'>,
  tag: string,
  nodes: readonly PipedNode[],
  isDefault: NodeTest | undefined,
): Group {
  const preset = isDefault && nodes.find(isDefault);
  return {
    tag,
    type,
    members: [...groups.map(namedMember), ...nodes.map(({ node }) => ({ node: node.id }))],
    ...(preset === undefined ? {} : { default: { node: preset.node.id } }),
    ...(url === undefined ? {} : { url }),
    ...(interval === undefined ? {} : { interval }),
    ...(tolerance === undefined ? {} : { tolerance }),
    empty,
  };
}

const namedMember = (tag: string): GroupMember =>
  tag === 'direct' || tag === 'block' ? { builtin: tag } : { group: tag };

/**
 * Refuses two groups of one name and groups that hold themselves. Names that no operator makes may be the template's.
 * @throws ProblemError `pipeline.invalid`
 */
export function checkGroups(operators: readonly OperatorOf<'group'>[]): void {
  const members = new Map<string, readonly string[]>();
  for (const { tag, groups = [] } of operators) {
    if (members.has(tag)) throw invalid(`there are two groups "${tag}"`);
    members.set(tag, groups);
  }
  checkCircles(members);
}

/** @throws ProblemError `pipeline.invalid` */
function checkCircles(members: ReadonlyMap<string, readonly string[]>): void {
  const done = new Set<string>();
  const visit = (tag: string, path: readonly string[]): void => {
    if (path.includes(tag)) throw invalid(`the group "${tag}" holds itself: ${[...path, tag].join(' → ')}`);
    if (done.has(tag)) return;
    for (const inner of members.get(tag) ?? []) visit(inner, [...path, tag]);
    done.add(tag);
  };
  for (const tag of members.keys()) visit(tag, []);
}

/** What somebody chose in a group, as it was called then. */
export interface Choice {
  readonly node_id: string;
  readonly subscription: string;
  readonly tag: string;
}

/** The node that a choice means now: the one with its id, else the one of that name in the same subscription. */
export const followChoice = (choice: Choice, nodes: readonly PipedNode[]): PipedNode | undefined =>
  nodes.find(({ node }) => node.id === choice.node_id) ??
  nodes.find(({ node, subscription }) => subscription === choice.subscription && node.tag === choice.tag);
