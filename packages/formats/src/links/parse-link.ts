import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { parseAnytlsLink } from './anytls.ts';
import { parseHysteria2Link } from './hysteria2.ts';
import { parseHttpLink, parseSocksLink } from './proxy.ts';
import { splitLink, type SplitLink } from './split-link.ts';
import { parseShadowsocksLink } from './ss.ts';
import { parseTrojanLink } from './trojan.ts';
import { parseTuicLink } from './tuic.ts';
import { parseVlessLink } from './vless.ts';
import { parseVmessLink } from './vmess.ts';
import { parseWireguardLink } from './wireguard.ts';

/** @throws ProblemError `node.*` */
export type ParseLink = (link: SplitLink) => NodeDraft;

const parsers: ReadonlyMap<string, ParseLink> = new Map<string, ParseLink>([
  ['ss', parseShadowsocksLink],
  ['vmess', parseVmessLink],
  ['vless', parseVlessLink],
  ['trojan', parseTrojanLink],
  ['hysteria2', parseHysteria2Link],
  ['hy2', parseHysteria2Link],
  ['tuic', parseTuicLink],
  ['wireguard', parseWireguardLink],
  ['wg', parseWireguardLink],
  ['anytls', parseAnytlsLink],
  ['socks', parseSocksLink],
  ['socks5', parseSocksLink],
  ['socks5h', parseSocksLink],
  ['socks4', parseSocksLink],
  ['socks4a', parseSocksLink],
  ['http', parseHttpLink],
  ['https', parseHttpLink],
]);

/** Schemes that are links of nodes and that this version does not read. */
const unreadSchemes: ReadonlySet<string> = new Set(
  'ssr ssd ssconf hysteria hy hysteria2+realm naive+https naive+quic juicity mieru mierus ssh snell tt warp vmess1 tg sn'.split(
    ' ',
  ),
);

/** Reads one share link. @throws ProblemError `node.*` */
export function parseLink(line: string): NodeDraft {
  const link = splitLink(line.trim());
  if (link === undefined) throw new ProblemError('node.malformed', 'this is no link: it has no scheme like vless://');
  const parse = parsers.get(link.scheme);
  if (parse !== undefined) return parse(link);
  const scheme = link.scheme.slice(0, 32);
  if (unreadSchemes.has(link.scheme))
    throw new ProblemError('node.unsupported', `${scheme}:// links are not supported`);
  throw new ProblemError('node.unknown-scheme', `${scheme}:// is no kind of node link`);
}

export const isLink = (line: string): boolean => splitLink(line.trim()) !== undefined;
