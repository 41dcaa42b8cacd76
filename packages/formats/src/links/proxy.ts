import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { readHttp } from '../protocols/http.ts';
import { readSocks } from '../protocols/socks.ts';
import { credentialSpellings, streamSpellings } from './spellings.ts';
import { linkParams, setLogin, splitAuthority, type SplitLink } from './split-link.ts';
import { isWebAddress } from './wrapped-url.ts';

const versions: Readonly<Record<string, string>> = { socks4: '4', socks4a: '4a' };

/** `socks5://user:pass@host:port`, `socks4://`, and `socks://base64(user:pass)@host:port`. */
export function parseSocksLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, streamSpellings);
  setLogin(params, splitAuthority(link.body));
  params.set('version', versions[link.scheme] ?? '5');
  return readSocks(params);
}

/** `http(s)://user:pass@host:port` is a proxy; with a path it is an address of something to fetch, and no node. */
export function parseHttpLink(link: SplitLink): NodeDraft {
  const shared = /^(?:www\.)?t(?:elegram)?\.me\/([a-z]+)\/?$/i.exec(link.body)?.[1];
  if (shared !== undefined && link.query !== '') return parseTelegramLink({ ...link, body: shared });
  if (isWebAddress(link)) throw new ProblemError('node.unsupported', 'this is a web address, not a proxy');
  const params = linkParams(link, streamSpellings);
  setLogin(params, splitAuthority(link.body));
  if (link.scheme === 'https') params.set('security', 'tls');
  return readHttp(params);
}

/** `tg://socks?server=..&port=..&user=..&pass=..`, `tg://http?..`, and the same under `https://t.me/`. */
export function parseTelegramLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, credentialSpellings);
  const kind = link.body.replace(/\/$/, '').toLowerCase();
  if (kind === 'socks') return readSocks(params);
  if (params.has('secret') || !['proxy', 'http', 'https'].includes(kind)) {
    throw new ProblemError('node.unsupported', 'an MTProto proxy carries nothing but Telegram');
  }
  if (kind === 'https') params.set('security', 'tls');
  return readHttp(params);
}
