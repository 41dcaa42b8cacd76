import type { Json } from '../document.ts';
import { invalid, type RuleSet } from './rule-sets-json.ts';

export interface SrsOptions {
  /** Unpacks a zlib stream and gives up above `maxBytes`; Node has `inflateSync`, a browser needs a library. */
  readonly inflate: (packed: Uint8Array, maxBytes: number) => Uint8Array;
  /** Of the unpacked content. */
  readonly maxBytes?: number;
}

const newestVersion = 5;
const maxDepth = 64;

/**
 * Reads a compiled rule-set (`.srs`): `SRS`, a version, then a zlib stream of rules. Gives what `sing-box rule-set
 * decompile` writes, and AdGuard rules as `adguard_domain`.
 * @throws ProblemError `rule-set.invalid`
 */
export function parseSrs(bytes: Uint8Array, { inflate, maxBytes = 64 * 1024 * 1024 }: SrsOptions): RuleSet {
  const version = bytes[3] ?? 0;
  if (new TextDecoder().decode(bytes.subarray(0, 3)) !== 'SRS') throw invalid('it does not begin with "SRS"');
  if (version < 1 || version > newestVersion) throw invalid(`its version ${version} is not known`);
  const reader = createReader(unpack(bytes.subarray(4), inflate, maxBytes));
  const rules = Array.from({ length: reader.count() }, () => readRule(reader, 0));
  return { version, rules };
}

function unpack(packed: Uint8Array, inflate: SrsOptions['inflate'], maxBytes: number): Uint8Array {
  try {
    return inflate(packed, maxBytes);
  } catch {
    throw invalid('it cannot be unpacked');
  }
}

type Reader = ReturnType<typeof createReader>;

function createReader(bytes: Uint8Array) {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw invalid('it ends too early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const byte = (): number => take(1)[0] ?? 0;
  const count = (): number => {
    let [value, factor] = [0, 1];
    for (let next = byte(); ; next = byte()) {
      value += (next & 127) * factor;
      factor *= 128;
      // Whatever is counted takes at least one byte.
      if (value > bytes.length || factor > 2 ** 42) throw invalid('it counts more than it has');
      if (next < 128) return value;
    }
  };
  const text = (): string => new TextDecoder().decode(take(count()));
  return {
    take,
    byte,
    count,
    texts: (): string[] => Array.from({ length: count() }, text),
    numbers: (): number[] => Array.from({ length: count() }, () => byte() * 256 + byte()),
    words: (): Uint8Array => take(count() * 8),
    isTrue: (): boolean => byte() !== 0,
  };
}

/** Fields by their number in the file. */
const items: Readonly<Record<number, (reader: Reader) => Json>> = {
  0: (reader) => ({ query_type: reader.numbers() }),
  1: (reader) => ({ network: reader.texts() }),
  2: readDomains,
  3: (reader) => ({ domain_keyword: reader.texts() }),
  4: (reader) => ({ domain_regex: reader.texts() }),
  5: (reader) => ({ source_ip_cidr: readRanges(reader) }),
  6: (reader) => ({ ip_cidr: readRanges(reader) }),
  7: (reader) => ({ source_port: reader.numbers() }),
  8: (reader) => ({ source_port_range: reader.texts() }),
  9: (reader) => ({ port: reader.numbers() }),
  10: (reader) => ({ port_range: reader.texts() }),
  11: (reader) => ({ process_name: reader.texts() }),
  12: (reader) => ({ process_path: reader.texts() }),
  13: (reader) => ({ package_name: reader.texts() }),
  14: (reader) => ({ wifi_ssid: reader.texts() }),
  15: (reader) => ({ wifi_bssid: reader.texts() }),
  16: (reader) => ({ adguard_domain: readKeys(reader) }),
  17: (reader) => ({ process_path_regex: reader.texts() }),
  18: (reader) => ({
    network_type: [...reader.take(reader.count())].map((type) => interfaceTypes[type] ?? String(type)),
  }),
  19: () => ({ network_is_expensive: true }),
  20: () => ({ network_is_constrained: true }),
  // Kept as conditions that nobody here can decide.
  21: (reader) => ({ network_interface_address: Array.from({ length: reader.count() }, () => readInterface(reader)) }),
  22: (reader) => ({ default_interface_address: readPrefixes(reader) }),
};
const lastItem = 255;
const interfaceTypes = ['wifi', 'cellular', 'ethernet', 'other'];

function readRule(reader: Reader, depth: number): Json {
  if (depth > maxDepth) throw invalid('its rules are nested too deep');
  const kind = reader.byte();
  if (kind === 1) {
    const mode = reader.byte() === 0 ? 'and' : 'or';
    const rules = Array.from({ length: reader.count() }, () => readRule(reader, depth + 1));
    return { type: 'logical', mode, rules, ...(reader.isTrue() && { invert: true }) };
  }
  if (kind !== 0) throw invalid(`it has a rule of the unknown kind ${kind}`);
  const rule: Json = {};
  for (let item = reader.byte(); item !== lastItem; item = reader.byte()) {
    const read = items[item];
    if (read === undefined) throw invalid(`it has a condition of the unknown kind ${item}`);
    Object.assign(rule, read(reader));
  }
  return reader.isTrue() ? { ...rule, invert: true } : rule;
}

/** Marks at the end of a reversed name: any subdomain, and the name with its subdomains. */
const [subdomains, withSubdomains] = ['\r', '\n'];

function readDomains(reader: Reader): Json {
  const [names, suffixes] = [new Set<string>(), [] as string[]];
  const dotted: string[] = [];
  for (const key of readKeys(reader)) {
    if (key.startsWith(subdomains)) dotted.push(key.slice(1));
    else if (key.startsWith(withSubdomains)) suffixes.push(key.slice(1));
    else names.add(key);
  }
  // Version 1 wrote a suffix as the name and its subdomains.
  for (const suffix of dotted)
    suffixes.push(suffix.startsWith('.') && names.delete(suffix.slice(1)) ? suffix.slice(1) : suffix);
  return {
    ...(names.size > 0 && { domain: [...names].toSorted() }),
    ...(suffixes.length > 0 && { domain_suffix: suffixes.toSorted() }),
  };
}

/**
 * The keys of a succinct trie, as they were before they were reversed. The trie is written level by level: for each node
 * a 0 for every child and then a 1, the children's labels in the same order, and a bit for each node that ends a key.
 */
function readKeys(reader: Reader): string[] {
  reader.byte();
  const [leaves, bitmap] = [reader.words(), reader.words()];
  const labels = reader.take(reader.count());
  const parents = new Int32Array(labels.length + 1);
  for (let [bit, node, child] = [0, 0, 0]; child < labels.length; bit += 1) {
    if (bit >= bitmap.length * 8) throw invalid('its names end too early');
    if (isSet(bitmap, bit)) node += 1;
    else parents[(child += 1)] = node;
  }
  const keys: string[] = [];
  for (let node = 0; node <= labels.length; node += 1) {
    if (node < leaves.length * 8 && isSet(leaves, node)) keys.push(keyOf(node, parents, labels));
  }
  return keys;
}

/** Words are written with the highest byte first. */
const isSet = (words: Uint8Array, bit: number): boolean =>
  ((words[(bit >> 6) * 8 + 7 - ((bit & 63) >> 3)] ?? 0) & (1 << (bit & 7))) !== 0;

/** From a leaf up to the root; names were reversed by characters, not by bytes. */
function keyOf(leaf: number, parents: Int32Array, labels: Uint8Array): string {
  const bytes: number[] = [];
  for (let node = leaf; node > 0; node = parents[node] ?? 0) bytes.push(labels[node - 1] ?? 0);
  // What is all ASCII comes out as it was written; elsewhere bytes and characters differ.
  if (bytes.every((byte) => byte < 128) && bytes.length <= maxChunk) return String.fromCharCode(...bytes);
  const reversed = new TextDecoder().decode(Uint8Array.from(bytes.toReversed()));
  return Array.from(reversed).toReversed().join('');
}

/** As many characters as a call takes at once. */
const maxChunk = 4096;

function readRanges(reader: Reader): string[] {
  if (reader.byte() !== 1) throw invalid('its addresses are of an unknown kind');
  const length = reader.take(8).reduce((sum, byte) => sum * 256 + byte, 0);
  const ranges: string[] = [];
  for (let index = 0; index < length; index += 1) {
    const [from, to] = [reader.take(reader.count()), reader.take(reader.count())];
    ranges.push(...prefixesBetween(numberOf(from), numberOf(to), from.length * 8));
  }
  return ranges;
}

const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);

/** The fewest prefixes that are exactly this range. */
function prefixesBetween(from: bigint, to: bigint, bits: number): string[] {
  const prefixes: string[] = [];
  for (let start = from; start <= to;) {
    let size = 0;
    while (size < bits && start % (2n << BigInt(size)) === 0n && start + (2n << BigInt(size)) - 1n <= to) size += 1;
    prefixes.push(`${addressText(start, bits)}/${bits - size}`);
    start += 1n << BigInt(size);
  }
  return prefixes;
}

function addressText(value: bigint, bits: number): string {
  const [step, count] = bits === 32 ? [8, 4] : [16, 8];
  const mask = (1n << BigInt(step)) - 1n;
  const parts = Array.from({ length: count }, (_, index) => (value >> BigInt(bits - step * (index + 1))) & mask);
  return bits === 32 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
}

function readPrefixes(reader: Reader): string[] {
  return Array.from({ length: reader.count() }, () => {
    const address = reader.take(reader.count());
    return `${addressText(numberOf(address), address.length * 8)}/${reader.byte()}`;
  });
}

const readInterface = (reader: Reader): Json => ({ type: reader.byte(), prefixes: readPrefixes(reader) });
