import { isReserved } from './unique-tags.ts';

/** Says whether all tags differ while they come one by one; where it is not sure, it says that they do not. */
export interface TagWatch {
  add(tag: string): void;
  allDiffer(): boolean;
}

const firstCapacity = 1_024;
/** More steps to a free place than chance explains: somebody chose the names. */
const maxSteps = 64;

/**
 * Holds a number for each tag rather than the tag: a Set of a hundred thousand strings is larger than the caches of a
 * processor, and looking things up in it took 9 % of the time to read a link.
 */
export function createTagWatch(): TagWatch {
  let areDifferent = true;
  let count = 0;
  let places = new Float64Array(firstCapacity);

  const grow = (): void => {
    const old = places;
    places = new Float64Array(old.length * 4);
    for (const print of old) if (print !== 0) place(places, print);
  };

  return {
    add(tag) {
      if (!areDifferent) return;
      areDifferent = !isReserved(tag) && place(places, fingerprint(tag));
      count += 1;
      if (count * 2 > places.length) grow();
    },
    allDiffer: () => areDifferent,
  };
}

/** False when the fingerprint is there already, or too many others are in its way. */
function place(places: Float64Array, print: number): boolean {
  const mask = places.length - 1;
  for (let step = 0; step < maxSteps; step += 1) {
    const at = (print + step) & mask;
    if (places[at] === print) return false;
    if (places[at] !== 0) continue;
    places[at] = print;
    return true;
  }
  return false;
}

/** 53 bits, never 0. Two hashes beside each other: among a million names, two have the same one in 1 of 10,000 lists. */
function fingerprint(tag: string): number {
  let low = 0x811c_9dc5;
  let high = 0;
  for (let at = 0; at < tag.length; at += 1) {
    const unit = tag.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x0100_0193);
    high = Math.imul(high + unit, 0x9e37_79b1);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0) || 1;
}
