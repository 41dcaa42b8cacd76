import type { NodeDraft } from '../node.ts';
import { readSnell } from '../protocols/snell.ts';
import { decodePercent } from '../text/percent.ts';
import { snellSpellings } from './spellings.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `snell://psk@host:port?version=4&obfs=http&obfs-host=..#name`; nobody has written this form down. */
export function parseSnellLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, snellSpellings);
  if (authority.user) params.set('psk', decodePercent(authority.user));
  setAddress(params, authority);
  return readSnell(params);
}
