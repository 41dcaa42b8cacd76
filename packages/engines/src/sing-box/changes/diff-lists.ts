/** An item of a list by its place, with a text for people. */
export interface ListedItem {
  readonly index: number;
  readonly text: string;
}

/** How an ordered list changed; `index` is the place in the later list, for what is gone in the earlier one. */
export interface ListDiff {
  readonly added: readonly ListedItem[];
  readonly removed: readonly ListedItem[];
  /** The same item in another place among those that stayed. */
  readonly moved: readonly (ListedItem & { readonly from: number })[];
  /** The same conditions, and something else follows from them. */
  readonly changed: readonly (ListedItem & { readonly from: number })[];
}

export interface ListItem {
  /** Equal for items that are the same. */
  readonly key: string;
  /** Equal for items of which one replaces the other. */
  readonly likeness: string;
  readonly text: string;
}

/** Above this many comparisons the order of what stayed is not looked at. */
const maxComparisons = 4_000_000;

/** Compares two lists in which the order counts. */
export function diffLists(before: readonly ListItem[], after: readonly ListItem[]): ListDiff {
  const kept = keptPairs(before, after);
  const [keptBefore, keptAfter] = [new Set(kept.map(([from]) => from)), new Set(kept.map(([, to]) => to))];
  const gone = before.map((item, index) => ({ ...item, index })).filter(({ index }) => !keptBefore.has(index));
  const came = after.map((item, index) => ({ ...item, index })).filter(({ index }) => !keptAfter.has(index));
  const moved = takePairs(gone, came, 'key');
  const changed = takePairs(moved.gone, moved.came, 'likeness');
  const listed = ({ index, text }: ListedItem): ListedItem => ({ index, text });
  return {
    added: changed.came.map(listed),
    removed: changed.gone.map(listed),
    moved: moved.pairs.map(([{ index: from }, item]) => ({ ...listed(item), from })),
    changed: changed.pairs.map(([{ index: from }, item]) => ({ ...listed(item), from })),
  };
}

type Placed = ListItem & { readonly index: number };

/** Takes out of both lists what belongs together by `by`, first with first. */
function takePairs(gone: readonly Placed[], came: readonly Placed[], by: 'key' | 'likeness') {
  const waiting = Map.groupBy(gone, (item) => item[by]);
  const pairs: [Placed, Placed][] = [];
  const left = came.filter((item) => {
    const partner = waiting.get(item[by])?.shift();
    if (partner !== undefined) pairs.push([partner, item]);
    return partner === undefined;
  });
  const taken = new Set(pairs.map(([item]) => item.index));
  return { pairs, gone: gone.filter(({ index }) => !taken.has(index)), came: left };
}

/** Indices of a longest common subsequence; beginning and end, which mostly stay, are taken first. */
function keptPairs(before: readonly ListItem[], after: readonly ListItem[]): [number, number][] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head]?.key === after[head]?.key) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail)?.key === after.at(-1 - tail)?.key) tail += 1;
  const [a, b] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  const middle = a.length * b.length > maxComparisons ? [] : longestCommon(a, b);
  return [
    ...Array.from({ length: head }, (_, index): [number, number] => [index, index]),
    ...middle.map(([from, to]): [number, number] => [from + head, to + head]),
    ...Array.from({ length: tail }, (_, index): [number, number] => [
      before.length - tail + index,
      after.length - tail + index,
    ]),
  ];
}

function longestCommon(a: readonly ListItem[], b: readonly ListItem[]): [number, number][] {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const longest = a[i]?.key === b[j]?.key ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      lengths[i * width + j] = longest;
    }
  }
  const pairs: [number, number][] = [];
  for (let [i, j] = [0, 0]; i < a.length && j < b.length;) {
    if (a[i]?.key === b[j]?.key) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}
