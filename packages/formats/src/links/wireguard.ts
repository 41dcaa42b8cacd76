import type { NodeDraft } from '../node.ts';
import { readWireguard } from '../protocols/wireguard.ts';
import { decodePercent } from '../text/percent.ts';
import { wireguardSpellings } from './spellings.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `wireguard://[private key@]host[:51820]?publickey=..&address=..#name`. */
export function parseWireguardLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, wireguardSpellings);
  if (authority.user && !params.get('private_key')) params.set('private_key', decodePercent(authority.user));
  setAddress(params, authority);
  return readWireguard(params);
}
