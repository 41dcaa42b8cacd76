import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { parseAnytlsLink } from './anytls.ts';
import { parseHysteriaLink } from './hysteria.ts';
import { parseHysteria2Link, parseHysteria2RealmLink } from './hysteria2.ts';
import { parseJuicityLink } from './juicity.ts';
import { mieruReaders } from './mieru.ts';
import { parseNaiveLink } from './naive.ts';
import { parseHttpLink, parseSocksLink, parseTelegramLink } from './proxy.ts';
import { parseSnellLink } from './snell.ts';
import { splitLink, type SplitLink } from './split-link.ts';
import { parseShadowsocksLink } from './ss.ts';
import { readSsd } from './ssd.ts';
import { parseSshLink } from './ssh.ts';
import { parseShadowsocksRLink } from './ssr.ts';
import { parseTrojanLink } from './trojan.ts';
import { parseTrustTunnelLink } from './trusttunnel.ts';
import { parseTuicLink } from './tuic.ts';
import { parseVlessLink } from './vless.ts';
import { parseKitsunebiLink, parseVmessLink } from './vmess.ts';
import { parseWarpLink, parseWireguardLink } from './wireguard.ts';
import { importRefusal, isImportScheme, unwrap } from './wrapped-url.ts';

/** @throws ProblemError `node.*` */
export type ParseLink = (link: SplitLink) => NodeDraft;

const parsers: ReadonlyMap<string, ParseLink> = new Map<string, ParseLink>([
  ['ss', parseShadowsocksLink],
  ['ssr', parseShadowsocksRLink],
  ['vmess', parseVmessLink],
  ['vmess1', parseKitsunebiLink],
  ['vless', parseVlessLink],
  ['trojan', parseTrojanLink],
  ['trojan-go', parseTrojanLink],
  ['hysteria', parseHysteriaLink],
  ['hy', parseHysteriaLink],
  ['hysteria2', parseHysteria2Link],
  ['hy2', parseHysteria2Link],
  ['hysteria2+realm', parseHysteria2RealmLink],
  ['hy2+realm', parseHysteria2RealmLink],
  ['tuic', parseTuicLink],
  ['wireguard', parseWireguardLink],
  ['wg', parseWireguardLink],
  ['warp', parseWarpLink],
  ['anytls', parseAnytlsLink],
  ['naive+https', parseNaiveLink],
  ['naive+quic', parseNaiveLink],
  ['juicity', parseJuicityLink],
  ['ssh', parseSshLink],
  ['snell', parseSnellLink],
  ['tt', parseTrustTunnelLink],
  ['socks', parseSocksLink],
  ['socks5', parseSocksLink],
  ['socks5h', parseSocksLink],
  ['socks4', parseSocksLink],
  ['socks4a', parseSocksLink],
  ['tg', parseTelegramLink],
  ['http', parseHttpLink],
  ['https', parseHttpLink],
]);

/** Links of several nodes: one reader for each, so that one bad node does not take the others with it. */
const severalParsers: ReadonlyMap<string, (link: SplitLink) => readonly (() => NodeDraft)[]> = new Map([
  ['mierus', mieruReaders],
  ['mieru', mieruReaders],
  ['ssd', (link: SplitLink) => readSsd(link).readers],
]);

const severalStart = /^(?:ssd|mierus?):\/\//i;

/** Whether a link may hold several nodes; then `linkReaders` has one reader for each. */
export const isSeveral = (line: string): boolean => {
  // Few schemes have a third letter of these, and a look at it costs less than the pattern.
  const third = line[2];
  return (third === 'd' || third === 'e' || third === 'D' || third === 'E') && severalStart.test(line);
};

/** Reads one share link that holds one node. @throws ProblemError `node.*` */
export const parseLink = (line: string): NodeDraft => readLink(requireLink(line), line);

/** The same for a link that is cut already. @throws ProblemError `node.*` */
export function readLink(link: SplitLink, line: string): NodeDraft {
  const parse = parsers.get(link.scheme);
  if (parse !== undefined) return parse(link);
  const [read, second] = linkReaders(line);
  if (read === undefined || second !== undefined) {
    throw new ProblemError('node.malformed', 'the link holds several nodes or none, not one');
  }
  return read();
}

/** Reads all nodes of a share link. @throws ProblemError `node.*` when one of them cannot be read. */
export const parseLinks = (line: string): readonly NodeDraft[] => linkReaders(line).map((read) => read());

/**
 * A reader for each node of a share link; a reader throws ProblemError `node.*` for its own node.
 * @throws ProblemError `node.*` for the link as a whole.
 */
export function linkReaders(line: string): readonly (() => NodeDraft)[] {
  const link = requireLink(line);
  const parse = parsers.get(link.scheme);
  if (parse !== undefined) return [() => parse(link)];
  const several = severalParsers.get(link.scheme);
  if (several !== undefined) return several(link);
  if (!isImportScheme(link.scheme)) {
    throw new ProblemError('node.unknown-scheme', `${link.scheme.slice(0, 32)}:// is no kind of node link`);
  }
  // What is imported may be a node itself; an http address never is, because those are what subscriptions have.
  const inner = unwrap(line.trim());
  const scheme = inner === undefined ? undefined : splitLink(inner)?.scheme;
  if (inner === undefined || scheme === undefined || isImportScheme(scheme) || /^https?$/.test(scheme)) {
    throw importRefusal(link, inner);
  }
  return linkReaders(inner);
}

function requireLink(line: string): SplitLink {
  const link = splitLink(line.trim());
  if (link === undefined) throw new ProblemError('node.malformed', 'this is no link: it has no scheme like vless://');
  return link;
}
