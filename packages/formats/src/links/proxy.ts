import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import type { Params } from '../params.ts';
import { readHttp } from '../protocols/http.ts';
import { readSocks } from '../protocols/socks.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { streamSpellings } from './spellings.ts';
import { splitOnce } from '../text/split-once.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

const versions: Readonly<Record<string, string>> = { socks4: '4', socks4a: '4a' };

/** `socks5://user:pass@host:port`, `socks4://`, and `socks://base64(user:pass)@host:port`. */
export function parseSocksLink(link: SplitLink): NodeDraft {
  const params = credentialParams(link);
  params.set('version', versions[link.scheme] ?? '5');
  return readSocks(params);
}

/** `http(s)://user:pass@host:port` is a proxy; with a path it is an address of something to fetch, and no node. */
export function parseHttpLink(link: SplitLink): NodeDraft {
  if (/\/./.test(link.body)) throw new ProblemError('node.unsupported', 'this is a web address, not a proxy');
  const params = credentialParams(link);
  if (link.scheme === 'https') params.set('security', 'tls');
  return readHttp(params);
}

function credentialParams(link: SplitLink): Params {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, streamSpellings);
  setAddress(params, authority);
  const [username, password] = splitCredentials(authority.user ?? '');
  params.set('username', username);
  params.set('password', password);
  return params;
}

/** Plain and escaped, or base64 of `user:password`. */
function splitCredentials(user: string): readonly [string, string] {
  const decoded = user.includes(':') ? undefined : decodeBase64(decodePercent(user));
  if (decoded?.includes(':') === true) return splitOnce(decoded, ':');
  const [username, password] = splitOnce(user, ':');
  return [decodePercent(username), decodePercent(password)];
}
