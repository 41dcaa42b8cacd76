import { isIP } from 'node:net';
import { endianness } from 'node:os';

/** What every spelling of an address comes to; undefined for what is none: a name, or nothing. */
function plain(address: string): string | undefined {
  const [bare = ''] = address.replace(/^\[|\]$/g, '').split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  return isIP(bare) === 6 ? new URL(`http://[${bare}]/`).hostname.slice(1, -1) : isIP(bare) === 4 ? bare : undefined;
}

/** Of a row of /proc/net/tcp and the like: words of 32 bits in the byte order of the machine. */
export function addressOfRow(hex: string, order = endianness()): string | undefined {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => {
    const own = [...Buffer.from(word, 'hex')];
    return order === 'LE' ? own.toReversed() : own;
  });
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return undefined;
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  return plain(groups.map((group) => group.toString(16)).join(':'));
}

export const isWildcard = (address: string): boolean => address === '::' || address === '0.0.0.0';

/**
 * Whether a socket that listens there takes what is meant for this address. Where either is not known, it does: then
 * only the port says something. `::` takes IPv4 too, and stands for `0.0.0.0` where there is no IPv6.
 */
export function covers(socket: string | undefined, wanted: string): boolean {
  const address = plain(wanted);
  return socket === undefined || address === undefined || socket === address || isWildcard(socket);
}

/** Whether two sockets on these addresses are in each other's way. */
export const isInTheWay = (socket: string | undefined, wanted: string): boolean =>
  covers(socket, wanted) || isWildcard(plain(wanted) ?? '');
