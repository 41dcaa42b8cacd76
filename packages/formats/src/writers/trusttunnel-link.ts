import { decodeBase64Bytes } from '../text/base64.ts';
import { encodeBytesUrl } from '../text/encode-base64.ts';
import { takeText, type Params } from '../params.ts';
import { takeAddress, type FormatLink } from './uri-link.ts';

const encoder = new TextEncoder();
const text = (value: string): Uint8Array => encoder.encode(value);
const flag = (value: string): Uint8Array => Uint8Array.of(value === '1' ? 1 : 0);
const base64 = (value: string): Uint8Array => decodeBase64Bytes(value) ?? new Uint8Array();
const protocol = (value: string): Uint8Array => Uint8Array.of(value === 'http3' ? 2 : 1);

/** The tags of the fields, in the order of the specification. */
const fields: readonly (readonly [string, number, (value: string) => Uint8Array])[] = [
  ['hostname', 0x01, text],
  ['address', 0x02, text],
  ['sni', 0x03, text],
  ['has_ipv6', 0x04, flag],
  ['username', 0x05, text],
  ['password', 0x06, text],
  ['insecure', 0x07, flag],
  ['certificate', 0x08, base64],
  ['upstream_protocol', 0x09, protocol],
  ['anti_dpi', 0x0a, flag],
  ['client_random_prefix', 0x0b, text],
  ['name', 0x0c, text],
];

/**
 * `tt://?base64url(fields)`: each field is a tag, a length and that many bytes, with the integers of RFC 9000, 16.
 * @see https://github.com/TrustTunnel/TrustTunnel/blob/master/DEEP_LINK.md
 */
export const trustTunnelLink: FormatLink = (params, name) => {
  params.set('address', takeAddress(params));
  params.set('name', name);
  const others = takeText(params, 'addresses')?.split(',') ?? [];
  const bytes = fields.flatMap(([key, tag, encode]) => {
    const values = [...valueOf(params, key), ...(key === 'address' ? others : [])];
    return values.flatMap((value) => {
      const body = encode(value);
      return [...variableInt(tag), ...variableInt(body.length), ...body];
    });
  });
  return `tt://?${encodeBytesUrl(Uint8Array.from(bytes))}`;
};

function valueOf(params: Params, key: string): readonly string[] {
  const value = params.get(key);
  return value === undefined ? [] : [value];
}

/** Up to 2^30, which is more than a link may be long. */
function variableInt(value: number): readonly number[] {
  if (value < 0x40) return [value];
  if (value < 0x4000) return [0x40 | (value >> 8), value & 0xff];
  return [0x80 | (value >>> 24), (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
