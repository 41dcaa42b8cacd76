import { cutToBytes, maxNameBytes } from './text/names.ts';

/** Names that configs of the engines give to their own parts, in lower case. */
const reservedTags: ReadonlySet<string> = new Set(
  'direct block dns reject reject-drop pass global compatible select auto proxy'.split(' '),
);

interface Named {
  readonly id: string;
  readonly tag: string;
}

/**
 * Gives every node a tag of its own. Of several nodes with one name the one with the smallest id keeps it and the
 * others get a piece of their id behind it, so that a provider's new order of lines renames nothing.
 */
export function uniqueTags<T extends Named>(nodes: readonly T[]): T[] {
  const holders = new Map<string, string>();
  for (const { id, tag } of nodes) {
    const holder = holders.get(tag);
    if (holder === undefined || id < holder) holders.set(tag, id);
  }
  const used = new Set<string>(holders.keys());
  const given = new Set<string>();
  const copies = new Map<string, number>();
  return nodes.map((node) => {
    const keepsTag = holders.get(node.tag) === node.id && !given.has(node.tag) && !isReserved(node.tag);
    const tag = keepsTag ? node.tag : freeTag(node, used, copies);
    given.add(tag);
    used.add(tag);
    return keepsTag ? node : { ...node, tag };
  });
}

const isReserved = (tag: string): boolean => reservedTags.has(tag.toLowerCase());

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
