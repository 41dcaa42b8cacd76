import type { Params } from '../params.ts';
import * as tables from './spellings.ts';

/** What readers ask each link for besides the settings of its query. */
const always = 'server port uuid username password method plugin scy aid v ws security token version'.split(' ');

/** A place for each name that a link of any kind may have. */
const places: ReadonlyMap<string, number> = new Map(
  [...new Set([...always, ...Object.values(tables).flatMap((table) => [...table.values()])])].map((name, place) => [
    name,
    place,
  ]),
);
const placeNames: readonly string[] = [...places.keys()];

/** From 0 to 255, and found without a look at the whole name; names that share one cost a look-up, no more. */
const printOf = (name: string): number =>
  (name.charCodeAt(0) * 23 + name.charCodeAt(name.length - 1) * 25 + name.length * 2) & 255;

/** The places of names by their print, the first of those that share one: quicker than the map. */
const quickPlaces: readonly number[] = Array.from({ length: 256 }, (_, print) =>
  placeNames.findIndex((name) => printOf(name) === print),
);

/**
 * Settings that are emptied and filled again for each link. They behave as a Map does, also in their order; but a Map
 * grows and shrinks with each link and leaves that behind.
 */
class LinkParams implements Params {
  #size = 0;
  readonly #values: (string | undefined)[] = placeNames.map(() => undefined);
  /** The places in the order in which they were set. */
  readonly #order: number[] = [];
  #ordered = 0;
  /** Bits of the names that were set: most names that readers ask for were not, and a bit is found faster than that. */
  #bits = 0;
  /** Places behind those of the tables, for names that are in none. */
  #others: Map<string, number> | undefined;

  get size(): number {
    return this.#size;
  }

  get(name: string): string | undefined {
    const print = printOf(name);
    if ((this.#bits & (1 << print)) === 0) return undefined;
    const place = this.#placeOf(name, print);
    return place === undefined ? undefined : this.#values[place];
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  set(name: string, value: string): this {
    const print = printOf(name);
    const place = this.#placeOf(name, print) ?? this.#otherPlace(name);
    this.#bits |= 1 << print;
    if (this.#values[place] === undefined) {
      this.#size += 1;
      this.#order[this.#ordered] = place;
      this.#ordered += 1;
    }
    this.#values[place] = value;
    return this;
  }

  delete(name: string): boolean {
    const print = printOf(name);
    if ((this.#bits & (1 << print)) === 0) return false;
    const place = this.#placeOf(name, print);
    if (place === undefined || this.#values[place] === undefined) return false;
    this.#values[place] = undefined;
    this.#size -= 1;
    return true;
  }

  keys(): Iterable<string> {
    return this.#asMap().keys();
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#asMap()[Symbol.iterator]();
  }

  clear(): void {
    for (let at = 0; at < this.#ordered; at += 1) this.#values[this.#order[at] ?? 0] = undefined;
    this.#size = 0;
    this.#ordered = 0;
    this.#bits = 0;
    if (this.#others === undefined) return;
    this.#others = undefined;
    this.#values.length = placeNames.length;
  }

  #placeOf(name: string, print: number): number | undefined {
    const place = quickPlaces[print] ?? -1;
    return place >= 0 && placeNames[place] === name ? place : (places.get(name) ?? this.#others?.get(name));
  }

  #otherPlace(name: string): number {
    this.#others ??= new Map();
    const place = this.#others.get(name) ?? placeNames.length + this.#others.size;
    this.#others.set(name, place);
    return place;
  }

  /** A name that was taken out and set again stands where it was set last. */
  #asMap(): Map<string, string> {
    const names = this.#others === undefined ? placeNames : [...placeNames, ...this.#others.keys()];
    const map = new Map<string, string>();
    for (const place of this.#order.slice(0, this.#ordered)) {
      const [name, value] = [names[place], this.#values[place]];
      if (name === undefined || value === undefined) continue;
      map.delete(name);
      map.set(name, value);
    }
    return map;
  }
}

const params = new LinkParams();

/** Empty settings; whoever asks for the next ones ends the life of these. */
export function startLinkParams(): Params {
  params.clear();
  return params;
}
