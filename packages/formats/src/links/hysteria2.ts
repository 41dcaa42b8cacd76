import type { NodeDraft } from '../node.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { decodePercent } from '../text/percent.ts';
import { hysteria2Spellings } from './spellings.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * `hysteria2://auth@host:ports/?parameters#name`; `user:password` is one password.
 * @see https://v2.hysteria.network/docs/developers/URI-Scheme/
 */
export function parseHysteria2Link(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, hysteria2Spellings);
  if (authority.user) params.set('password', decodePercent(authority.user));
  setAddress(params, authority);
  if (/[-,]/.test(authority.port)) {
    params.set('mport', authority.port);
    params.set('port', '');
  }
  return readHysteria2(params);
}
