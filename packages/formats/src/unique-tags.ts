import { cutToBytes, maxNameBytes } from './text/names.ts';

/** Names that configs of the engines give to their own parts, in lower case. */
const reservedTags: ReadonlySet<string> = new Set(
  'direct block dns reject reject-drop pass global compatible select auto proxy'.split(' '),
);

const maxReservedLength = Math.max(...[...reservedTags].map(({ length }) => length));

interface Named {
  readonly id: string;
  readonly tag: string;
}

/**
 * Gives every node a tag of its own. Of several nodes with one name the one with the smallest id keeps it and the
 * others get a piece of their id behind it, so that a provider's new order of lines renames nothing.
 * @param taken tags that no node may have
 */
export function uniqueTags<T extends Named>(nodes: readonly T[], taken: ReadonlySet<string> = new Set()): T[] {
  const holders = new Map<string, string>();
  let isDone = taken.size === 0;
  for (const { id, tag } of nodes) {
    const holder = holders.get(tag);
    if (holder === undefined || id < holder) holders.set(tag, id);
    if (holder !== undefined || isReserved(tag)) isDone = false;
  }
  if (isDone) return [...nodes];
  const used = new Set<string>([...holders.keys(), ...taken]);
  const given = new Set<string>();
  const copies = new Map<string, number>();
  return nodes.map((node) => {
    const isFree = !given.has(node.tag) && !taken.has(node.tag) && !isReserved(node.tag);
    const keepsTag = isFree && holders.get(node.tag) === node.id;
    const tag = keepsTag ? node.tag : freeTag(node, used, copies);
    given.add(tag);
    used.add(tag);
    return keepsTag ? node : { ...node, tag };
  });
}

export const isReserved = (tag: string): boolean =>
  tag.length <= maxReservedLength && reservedTags.has(tag.toLowerCase());

function freeTag({ id, tag }: Named, used: ReadonlySet<string>, copies: Map<string, number>): string {
  const letters = id.replace(/^n_/, '');
  const base = cutToBytes(tag, maxNameBytes - 32);
  for (let length = 4; length <= letters.length; length += 4) {
    const candidate = `${base} ${letters.slice(0, length)}`;
    if (!used.has(candidate)) return candidate;
  }
  // Exact copies of one node: counted, and the counter is kept so that many copies cost no search each.
  const numbered = `${base} ${letters}`;
  for (let copy = copies.get(numbered) ?? 2; ; copy += 1) {
    const candidate = `${numbered} ${copy}`;
    if (used.has(candidate)) continue;
    copies.set(numbered, copy + 1);
    return candidate;
  }
}
