/** An address as a number; IPv4 inside IPv6 is IPv4, as the engine unwraps it. */
export interface Ip {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Both ends belong to it. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly from: bigint;
  readonly to: bigint;
}

const bits = { 4: 32, 6: 128 } as const;

/** Undefined for everything that is not an address, such as a domain. A zone (`%eth0`) is dropped. */
export function parseIp(text: string): Ip | undefined {
  const bare = text.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '');
  const four = parseIpv4(bare);
  if (four !== undefined) return { family: 4, value: four };
  const six = parseIpv6(bare);
  if (six === undefined) return undefined;
  return six >> 32n === 0xff_ffn ? { family: 4, value: six & 0xff_ff_ff_ffn } : { family: 6, value: six };
}

/** `192.0.2.0/24`, or an address for a range of one. */
export function parsePrefix(text: string): IpRange | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const four = parseIpv4(address);
  const value = four ?? parseIpv6(address);
  if (value === undefined || rest.length > 0) return undefined;
  const family = four === undefined ? 6 : 4;
  const size = length === undefined ? bits[family] : Number(/^\d{1,3}$/.test(length) ? length : Number.NaN);
  if (!(size >= 0 && size <= bits[family])) return undefined;
  const span = 1n << BigInt(bits[family] - size);
  const from = (value / span) * span;
  return { family, from, to: from + span - 1n };
}

/** A test that takes the logarithm of the number of ranges. */
export function createIpSet(ranges: readonly IpRange[]): (ip: Ip) => boolean {
  const sets = { 4: join(ranges.filter(({ family }) => family === 4)), 6: join(ranges.filter((r) => r.family === 6)) };
  return ({ family, value }) => {
    const sorted = sets[family];
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle]?.to ?? 0n) < value) low = middle + 1;
      else high = middle;
    }
    const found = sorted[low];
    return found !== undefined && found.from <= value;
  };
}

/** Sorted, and without overlaps. */
function join(ranges: readonly IpRange[]): IpRange[] {
  const joined: IpRange[] = [];
  for (const range of ranges.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    const last = joined.at(-1);
    if (last === undefined || range.from > last.to) joined.push(range);
    else if (range.to > last.to) joined[joined.length - 1] = { ...last, to: range.to };
  }
  return joined;
}

/** What Go's net/netip calls private, loopback, multicast, link-local or unspecified. */
const privatePrefixes = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '0.0.0.0/32',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
  '::1/128',
  '::/128',
];

/** The engine's `ip_is_private`: everything that is not a public address. */
export const isPrivateIp = createIpSet(privatePrefixes.flatMap((prefix) => parsePrefix(prefix) ?? []));

function parseIpv4(text: string): bigint | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  if (!text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : groupsOf(half.split(':'))));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...(tail ?? [])];
  return groups.reduce((sum, group) => (sum << 16n) + group, 0n);
}

/** The 16-bit groups of one half; its last part may be an IPv4 address. */
function groupsOf(parts: readonly string[]): bigint[] | undefined {
  const groups: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    const four = index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (four !== undefined) groups.push(four >> 16n, four & 0xff_ffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}
