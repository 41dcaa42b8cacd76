/** The bytes of an IP address, 4 or 16; undefined for anything else. IPv4 inside IPv6 is taken as IPv6. */
export function addressBytes(text: string): readonly number[] | undefined {
  return text.includes(':') ? v6Bytes(text) : v4Bytes(text);
}

export const isAddress = (text: string): boolean => addressBytes(text) !== undefined;

function v4Bytes(text: string): number[] | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function v6Bytes(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').map(groupBytes)));
  if (head === undefined || !isWhole(head) || (tail !== undefined && !isWhole(tail))) return undefined;
  const front = head.flat();
  const back = tail?.flat() ?? [];
  const missing = 16 - front.length - back.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  return [...front, ...Array.from({ length: missing }, () => 0), ...back];
}

const isWhole = (groups: readonly (number[] | undefined)[]): groups is number[][] =>
  groups.every((group) => group !== undefined);

function groupBytes(group: string): number[] | undefined {
  if (group.includes('.')) return v4Bytes(group);
  if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
  const value = Number.parseInt(group, 16);
  return [value >> 8, value & 255];
}

/** A network as `10.0.0.0/8`. */
export interface Network {
  readonly bytes: readonly number[];
  /** Of the prefix. */
  readonly bits: number;
}

/** Undefined when the text is no network. */
export function readNetwork(text: string): Network | undefined {
  const [base = '', length = '', ...rest] = text.split('/');
  const bytes = addressBytes(base);
  if (bytes === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
  const bits = Number(length);
  if (bits > bytes.length * 8) return undefined;
  return { bytes, bits };
}

/** Whether an address lies in one of the networks; with thousands of them it takes as long as with a few. */
export function networkTest(networks: readonly Network[]): (address: string) => boolean {
  const prefixes = new Map<string, { length: number; bits: number; keys: Set<string> }>();
  for (const { bytes, bits } of networks) {
    const { length } = bytes;
    const kind = `${length}/${bits}`;
    const known = prefixes.get(kind) ?? { length, bits, keys: new Set() };
    known.keys.add(prefixKey(bytes, bits));
    prefixes.set(kind, known);
  }
  const kinds = [...prefixes.values()];
  return (address) => {
    const bytes = kinds.length === 0 ? undefined : addressBytes(address);
    if (bytes === undefined) return false;
    return kinds.some(({ length, bits, keys }) => bytes.length === length && keys.has(prefixKey(bytes, bits)));
  };
}

/** The bytes of a prefix, without what stands behind it. */
function prefixKey(bytes: readonly number[], bits: number): string {
  const whole = bits >> 3;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return String.fromCharCode(...bytes.slice(0, whole), (bytes[whole] ?? 0) & mask);
}
