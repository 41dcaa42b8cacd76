import { takeText } from '../params.ts';
import { encodeBase64Url } from '../text/encode-base64.ts';
import type { FormatLink } from './uri-link.ts';

/** The parameters whose values are base64, by canonical name. */
const encodedNames: Readonly<Record<string, string>> = {
  'obfs-param': 'obfsparam',
  'protocol-param': 'protoparam',
  group: 'group',
};

/**
 * `ssr://base64(host:port:protocol:cipher:obfs:base64(password)/?obfsparam=..&protoparam=..&remarks=..)`.
 * @see https://github.com/shadowsocksrr/shadowsocks-rss/wiki/SSR-QRcode-scheme
 */
export const ssrLink: FormatLink = (params, name) => {
  const take = (key: string): string => takeText(params, key) ?? '';
  const password = encodeBase64Url(take('password'));
  const main = ['server', 'port', 'protocol', 'method', 'obfs'].map(take);
  const query = [...params].map(([key, value]) => {
    const encoded = Object.hasOwn(encodedNames, key) ? encodedNames[key] : undefined;
    return encoded === undefined ? `${key}=${value}` : `${encoded}=${encodeBase64Url(value)}`;
  });
  const all = [...query, `remarks=${encodeBase64Url(name)}`].join('&');
  return `ssr://${encodeBase64Url(`${[...main, password].join(':')}/?${all}`)}`;
};
