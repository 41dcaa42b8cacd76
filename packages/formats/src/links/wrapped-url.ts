import { ProblemError } from '@sbox/core';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { splitLink, type SplitLink } from './split-link.ts';

/** Schemes with which a client is told to import what is behind an address. */
const importSchemes: ReadonlySet<string> = new Set(
  (
    'clash clashmeta clash-verge mihomo stash flclash karing sing-box hiddify v2rayn v2rayng v2raytun nekobox nekoray sn ' +
    'shadowrocket streisand happ surge loon egern sub ssconf'
  ).split(' '),
);
const maxLayers = 3;

/**
 * The address inside a link that only says what to import (`clash://install-config?url=..`, `hiddify://import/..`,
 * `ssconf://..`, `sub://..`), or the line itself when it is the address of a subscription. Undefined for anything else.
 */
export function wrappedUrl(line: string): string | undefined {
  const inner = unwrap(line.trim());
  const link = inner === undefined ? undefined : splitLink(inner);
  return link !== undefined && isWebAddress(link) ? inner : undefined;
}

/**
 * Whether an http(s) link is an address to fetch or to look at: it has a path or a query, or nothing but a host, as
 * providers put their pages among the nodes. A proxy has a port, a user or a name.
 */
export const isWebAddress = ({ scheme, body, query, name }: SplitLink): boolean =>
  (scheme === 'https' || scheme === 'http') &&
  (/\/./.test(body) || (query !== '' && body.endsWith('/')) || (query === '' && name === '' && isBareHost(body)));

const isBareHost = (body: string): boolean => !body.includes('@') && !/:\d+\/?$/.test(body);

export const isImportScheme = (scheme: string): boolean => importSchemes.has(scheme);

/** What is inside all import links; the line itself when it is none. */
export function unwrap(line: string): string | undefined {
  let text: string | undefined = line;
  for (let layer = 0; layer < maxLayers && text !== undefined; layer += 1) {
    const link = splitLink(text);
    if (link === undefined || !isImportScheme(link.scheme)) break;
    text = wrapped(link, text);
  }
  return text;
}

function wrapped(link: SplitLink, line: string): string | undefined {
  if (link.scheme === 'ssconf') return `https${line.slice('ssconf'.length).split('#')[0] ?? ''}`;
  if (link.scheme === 'sub') return asAddress(link.body);
  // An address that was not escaped keeps its own parameters: only the name behind it is the importer's.
  const byQuery = /(?:^|&)(?:url|sub)=([^#]*)/.exec(link.query)?.[1]?.replace(/&(?:name|title|remarks?)=[^&]*$/, '');
  if (byQuery !== undefined) return asAddress(byQuery.includes('://') ? byQuery : (byQuery.split('&')[0] ?? ''));
  const byPath = /^\/*(?:import|add|install-config|install-sub|import-remote-profile)\/+(.+)$/.exec(
    line.slice(link.scheme.length + 3),
  )?.[1];
  return byPath === undefined ? undefined : asAddress(byPath);
}

function asAddress(text: string): string | undefined {
  const plain = splitLink(text) === undefined ? decodePercent(text) : text;
  if (splitLink(plain) !== undefined) return plain;
  const decoded = decodeBase64(plain.split(/[#?]/)[0] ?? '')?.trim();
  return decoded !== undefined && splitLink(decoded) !== undefined ? decoded : undefined;
}

/** Says what to do with an import link; of the address only the host is named, because its path is a secret. */
export function importRefusal(link: SplitLink, inner: string | undefined): ProblemError {
  const host = inner === undefined ? undefined : /^https?:\/\/(?:[^/@?#]*@)?([^/?#:]{1,253})/i.exec(inner)?.[1];
  const reason =
    host === undefined
      ? `${link.scheme}:// is a client's own form: export the node as a standard link there`
      : `this imports a subscription from ${host}: add its https address as a subscription of its own`;
  return new ProblemError('node.unsupported', reason);
}
