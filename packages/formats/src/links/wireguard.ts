import { ProblemError } from '@sbox/core';
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

/** hiddify's `warp://` has the keys only when somebody put them there; else a client makes an account for itself. */
export function parseWarpLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, wireguardSpellings);
  if ((params.get('private_key') || splitAuthority(link.body).user) && params.get('public_key'))
    return parseWireguardLink(link);
  throw new ProblemError(
    'node.unsupported',
    'a warp:// link holds no keys: register the account and give its WireGuard link instead',
  );
}
