import type { NodeDraft } from '../node.ts';
import { takeFlag, type Params } from '../params.ts';
import { readTrojan } from '../protocols/trojan.ts';
import { trojanSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `trojan://password@host:port?parameters#name`; TLS is on unless `security=none`. */
export function parseTrojanLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, trojanSpellings);
  params.set('password', requireUser(authority, 'the password'));
  setAddress(params, authority);
  setWebSocketFlag(params);
  return readTrojan(params);
}

/** `ws=1&wspath=/x`, as Surge-minded panels write it. */
function setWebSocketFlag(params: Params): void {
  if (takeFlag(params, 'ws') === true && !params.get('type')) params.set('type', 'ws');
}
