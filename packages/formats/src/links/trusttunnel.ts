import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import type { Params } from '../params.ts';
import { readKept } from '../protocols/kept.ts';
import { decodeBase64Bytes } from '../text/base64.ts';
import { splitAuthority, setAddress, type SplitLink } from './split-link.ts';

const read = readKept('trusttunnel');
const utf8 = new TextDecoder();
const text = (bytes: Uint8Array): string => utf8.decode(bytes);
const flag = ([byte]: Uint8Array): string => (byte === 1 ? '1' : '0');
const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes.subarray(0, 48 * 1024)));

/** The fields of the link by their tags. */
const fields = new Map<number, readonly [string, (bytes: Uint8Array) => string]>([
  [0x01, ['hostname', text]],
  [0x02, ['addresses', text]],
  [0x03, ['sni', text]],
  [0x04, ['has_ipv6', flag]],
  [0x05, ['username', text]],
  [0x06, ['password', text]],
  [0x07, ['insecure', flag]],
  [0x08, ['certificate', base64]],
  [0x09, ['upstream_protocol', ([byte]) => (byte === 2 ? 'http3' : 'http2')]],
  [0x0a, ['anti_dpi', flag]],
  [0x0b, ['client_random_prefix', text]],
  [0x0c, ['name', text]],
]);

/**
 * `tt://base64url(fields)`: each field is a tag, a length and that many bytes, with the integers of RFC 9000, 16.
 * @see https://github.com/TrustTunnel/TrustTunnel/blob/master/DEEP_LINK.md
 */
export function parseTrustTunnelLink(link: SplitLink): NodeDraft {
  const bytes = decodeBase64Bytes((link.body || link.query).replace(/\/$/, ''));
  if (bytes === undefined) throw new ProblemError('node.malformed', 'the part after tt:// is not base64');
  const params: Params = new Map();
  const addresses: string[] = [];
  for (const [tag, value] of entries(bytes)) {
    const [name, decode] = fields.get(tag) ?? [];
    if (name === undefined || decode === undefined) continue;
    if (name === 'addresses') addresses.push(decode(value));
    else params.set(name, decode(value));
  }
  const [first = '', ...others] = addresses;
  setAddress(params, splitAuthority(first));
  if (others.length > 0) params.set('addresses', others.join(','));
  if (!params.has('sni')) params.set('sni', params.get('hostname') ?? '');
  if (link.name !== '') params.set('name', link.name);
  return read(params);
}

function* entries(bytes: Uint8Array): Generator<readonly [number, Uint8Array]> {
  let at = 0;
  const readInt = (): number => {
    const size = 1 << ((bytes[at] ?? 0) >> 6);
    let value = (bytes[at] ?? 0) & 0x3f;
    for (let next = 1; next < size; next += 1) value = value * 256 + (bytes[at + next] ?? 0);
    at += size;
    return value;
  };
  while (at < bytes.length) {
    const tag = readInt();
    const length = readInt();
    if (at + length > bytes.length) throw new ProblemError('node.malformed', 'the link was cut short');
    yield [tag, bytes.subarray(at, at + length)];
    at += length;
  }
}
