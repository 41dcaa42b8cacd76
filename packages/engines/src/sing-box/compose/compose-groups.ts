import { parseDuration, ProblemError } from '@sbox/core';
import { isRecord, textsIn, type Json } from '../document.ts';
import type { Group, GroupMember, NodePart, RenderWarning } from '../parts.ts';

export interface GroupInput {
  /** The outbounds of the skeleton, slots included. */
  readonly items: readonly unknown[];
  readonly parts: readonly NodePart[];
  readonly groups: readonly Group[];
  /** Tags of the skeleton's outbounds and endpoints. */
  readonly own: readonly string[];
  /** What each group is called: see `groupTags`. */
  readonly tags: readonly string[];
}

export interface PlacedGroups {
  /** The groups that are left, as outbounds. */
  readonly groups: readonly Json[];
  /** What stands for each group of the skeleton: itself, filled, or nothing. */
  readonly own: ReadonlyMap<Json, readonly Json[]>;
  /** Outbounds that groups need and the skeleton does not have. */
  readonly builtins: readonly Json[];
  readonly warnings: readonly RenderWarning[];
}

/** A group while members may still go. */
interface Draft {
  readonly tag: string;
  readonly json: Json;
  members: readonly string[];
  readonly empty: Group['empty'];
  /** What the source calls it, for messages. */
  readonly name: string;
  /** Had a slot or lost a member; a group that the skeleton wrote empty itself is for the reference check. */
  isTouched: boolean;
  /** The outbound that stands in it because no member is left. */
  answer?: string;
}

type Builtin = 'direct' | 'block';

/**
 * Fills the groups of the skeleton and the given ones. A group without members gets its declared answer; one that goes
 * also goes out of the groups that name it, and so on.
 * @param noNodes the error when a group of the skeleton that holds the nodes is empty
 * @throws ProblemError `config.group-empty`, or that of `noNodes`
 */
export function placeGroups(input: GroupInput, noNodes: () => ProblemError): PlacedGroups {
  const builtins = createBuiltins(input);
  const warnings: RenderWarning[] = [];
  const given = draftGroups(input, builtins, warnings);
  const own = input.items.filter(isGroup).map((item) => draftOwn(item, input.parts, given));
  const gone = settle([...own, ...given], builtins, (draft) => {
    if (own.includes(draft) && input.parts.length === 0) throw noNodes();
    const detail = `the group "${draft.name}" has no members`;
    throw new ProblemError('config.group-empty', detail, { details: { group: draft.name } });
  });
  const isLeft = (draft: Draft): boolean => !gone.has(draft);
  warnings.push(...given.flatMap((draft, index) => emptyWarning(draft, index, isLeft(draft))));
  warnings.push(...given.flatMap((draft, index) => (isLeft(draft) ? defaultWarning(draft, index, input) : [])));
  return {
    groups: given.filter(isLeft).map(written),
    own: new Map(own.map((draft) => [draft.json, gone.has(draft) ? [] : [written(draft)]])),
    builtins: builtins.made,
    warnings,
  };
}

/** A group that is not what its name says is named, whatever answer was declared for it. */
function emptyWarning({ name, empty, answer }: Draft, index: number, isLeft: boolean): RenderWarning[] {
  if (isLeft && answer === undefined) return [];
  const instead = isLeft ? `everything in it goes to "${answer ?? ''}"` : 'it is left out';
  const message = `no node is in the group "${name}", so ${instead} (empty: ${empty})`;
  return [{ code: 'group.empty', path: `groups[${index}]`, message }];
}

/** Without the member that it should start with, a selector starts with its first one, which may be another kind of way. */
function defaultWarning({ tag, json, members }: Draft, index: number, { groups }: GroupInput): RenderWarning[] {
  if (groups[index]?.default === undefined || members.some((member) => member === json['default'])) return [];
  const message = `"${tag}" starts with "${members[0] ?? ''}", because the member that it should start with is not there`;
  return [{ code: 'group.default-missing', path: `groups[${index}]`, message }];
}

const isGroup = (item: unknown): item is Json =>
  isRecord(item) && (item['type'] === 'selector' || item['type'] === 'urltest');

/** The skeleton's own `direct` and `block`, or new ones for as long as nobody needed them. */
function createBuiltins({ items, own, tags: groups }: GroupInput) {
  const made: Json[] = [];
  const tags = new Map<Builtin, string>();
  const find = (type: Builtin): string => {
    const there = items.find((item) => isRecord(item) && item['type'] === type && typeof item['tag'] === 'string');
    if (isRecord(there)) return String(there['tag']);
    const tag = freeTag(type, new Set([...own, ...groups]));
    made.push({ type, tag });
    return tag;
  };
  return {
    made,
    tagOf(type: Builtin): string {
      const tag = tags.get(type) ?? find(type);
      tags.set(type, tag);
      return tag;
    },
  };
}

function freeTag(wanted: string, used: ReadonlySet<string>): string {
  let tag = wanted;
  for (let copy = 2; used.has(tag); copy += 1) tag = `${wanted} ${copy}`;
  return tag;
}

/** What groups are called beside the skeleton's own outbounds, which keep their tags. */
export function groupTags(groups: readonly Group[], own: readonly string[]): string[] {
  const used = new Set(own);
  return groups.map(({ tag }) => {
    const free = freeTag(tag, used);
    used.add(free);
    return free;
  });
}

function draftGroups(
  { groups, parts, own, tags, items }: GroupInput,
  builtins: ReturnType<typeof createBuiltins>,
  warnings: RenderWarning[],
): Draft[] {
  const warn = (index: number, code: string, message: string): void =>
    void warnings.push({ code, path: `groups[${index}]`, message });
  const known = new Map([
    ...own.map((tag) => [tag, tag] as const),
    ...groups.map(({ tag }, index) => [tag, tags[index] ?? tag] as const).toReversed(),
  ]);
  const nodeTags = new Map(parts.map(({ node_id, tag }) => [node_id, tag]));
  const tagOfMember = (member: GroupMember): string | undefined => {
    if ('node' in member) return nodeTags.get(member.node);
    return 'group' in member ? known.get(member.group) : builtins.tagOf(member.builtin);
  };
  const probe = items.find((item): item is Json => isRecord(item) && item['type'] === 'urltest') ?? {};

  return groups.map((group, index) => {
    const tag = tags[index] ?? group.tag;
    if (tag !== group.tag) {
      warn(index, 'group.renamed', `there is an outbound "${group.tag}" already, so the group is called "${tag}"`);
    }
    if (group.type === 'fallback' || group.type === 'load-balance') {
      warn(
        index,
        'group.approximated',
        `sing-box has no ${group.type}: "${tag}" is a urltest ${insteadOf[group.type]}`,
      );
    }
    const members = [...new Set(group.members.flatMap((member) => tagOfMember(member) ?? []))];
    const wanted = group.default === undefined ? undefined : tagOfMember(group.default);
    const json = group.type === 'selector' ? selectorOf(tag, wanted) : urltestOf(tag, group, probe);
    for (const member of group.members) {
      if ('group' in member && !known.has(member.group))
        warn(index, 'group.member-missing', `"${tag}" names the group "${member.group}", which is not there`);
    }
    return { tag, json, members, empty: group.empty, name: group.tag, isTouched: true };
  });
}

const insteadOf = {
  fallback: 'that stays with one member for as long as it answers',
  'load-balance': 'that uses the fastest member',
} as const;

// A choice made through the control API must not cut the connections that are open.
const keepsConnections = { interrupt_exist_connections: false };

const selectorOf = (tag: string, wanted: string | undefined): Json => ({
  type: 'selector',
  tag,
  outbounds: [],
  ...(wanted === undefined ? {} : { default: wanted }),
  ...keepsConnections,
});

/** A tolerance that no delay exceeds keeps a urltest where it is until its member fails. */
const steady = 65_535;

function urltestOf(tag: string, group: Group, probe: Json): Json {
  const { url = probe['url'], interval = probe['interval'] } = group;
  const tolerance = group.tolerance ?? (group.type === 'fallback' ? steady : probe['tolerance']);
  const test = Object.entries({ url, interval, tolerance }).filter(([, value]) => value !== undefined);
  return { type: 'urltest', tag, outbounds: [], ...Object.fromEntries(test), ...keepsConnections };
}

const slotNames = new Set(['$nodes', '$groups']);

function draftOwn(item: Json, parts: readonly NodePart[], given: readonly Draft[]): Draft {
  const names = textsIn(item['outbounds']);
  const own = names.filter((name) => !slotNames.has(name));
  const filled = names.flatMap((name) => {
    if (name === '$nodes') return parts.map(({ tag }) => tag);
    return name === '$groups' ? given.map(({ tag }) => tag) : [name];
  });
  const isTouched = filled.length > own.length || (own.length === 0 && names.length > 0);
  const { $empty = 'fail' } = item as { $empty?: Group['empty'] };
  const tag = typeof item['tag'] === 'string' ? item['tag'] : '';
  return { tag, json: item, members: isTouched ? [...new Set(filled)] : own, empty: $empty, name: tag, isTouched };
}

/** Gives every empty group its answer; returns those that are omitted. */
function settle(
  drafts: readonly Draft[],
  builtins: ReturnType<typeof createBuiltins>,
  fail: (draft: Draft) => never,
): ReadonlySet<Draft> {
  const gone = new Set<Draft>();
  const holders = new Map<string, Draft[]>();
  const tags = new Set(drafts.map(({ tag }) => tag));
  for (const draft of drafts) {
    for (const member of draft.members) {
      if (!tags.has(member)) continue;
      const known = holders.get(member);
      if (known === undefined) holders.set(member, [draft]);
      else known.push(draft);
    }
  }
  const empty = drafts.filter(({ members, isTouched }) => isTouched && members.length === 0);
  // The list grows while it is gone through, by each group at most once for each of its members.
  for (const draft of empty) {
    if (gone.has(draft) || draft.members.length > 0) continue;
    if (draft.empty === 'fail') fail(draft);
    if (draft.empty === 'omit') {
      gone.add(draft);
      for (const holder of holders.get(draft.tag) ?? []) {
        holder.members = holder.members.filter((member) => member !== draft.tag);
        holder.isTouched = true;
        if (holder.members.length === 0) empty.push(holder);
      }
    } else {
      draft.answer = builtins.tagOf(draft.empty);
      draft.members = [draft.answer];
    }
  }
  return gone;
}

/** After this long without a request the engine stops testing, and it refuses a longer interval. */
const idleTimeoutMs = 30 * 60_000;

function written({ json, members, isTouched }: Draft): Json {
  const { $empty: _, ...group } = json;
  if (!isTouched)
    return textsIn(group['outbounds']).length === members.length ? group : { ...group, outbounds: members };
  const wanted = group['default'];
  if (typeof wanted === 'string' && !members.includes(wanted)) delete group['default'];
  const { interval } = group;
  if (group['type'] === 'urltest' && typeof interval === 'string' && group['idle_timeout'] === undefined) {
    if ((parseDuration(interval) ?? 0) > idleTimeoutMs) group['idle_timeout'] = interval;
  }
  return { ...group, outbounds: [...members] };
}
