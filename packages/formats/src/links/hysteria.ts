import type { NodeDraft } from '../node.ts';
import { readHysteria } from '../protocols/hysteria.ts';
import { decodePercent } from '../text/percent.ts';
import { hysteriaSpellings } from './spellings.ts';
import { linkParams, setAddress, setPortRanges, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * `hysteria://host:port?protocol=udp&auth=..&peer=..&upmbps=..&downmbps=..&obfs=xplus&obfsParam=..#name`.
 * @see https://v1.hysteria.network/docs/uri-scheme/
 */
export function parseHysteriaLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, hysteriaSpellings);
  if (authority.user && !params.get('auth_str')) params.set('auth_str', decodePercent(authority.user));
  setAddress(params, authority);
  setPortRanges(params, authority);
  return readHysteria(params);
}
