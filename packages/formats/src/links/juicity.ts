import type { NodeDraft } from '../node.ts';
import { readJuicity } from '../protocols/juicity.ts';
import { decodePercent } from '../text/percent.ts';
import { splitOnce } from '../text/split-once.ts';
import { juicitySpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `juicity://uuid:password@host:port?congestion_control=bbr&sni=..&pinned_certchain_sha256=..#name`. */
export function parseJuicityLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, juicitySpellings);
  const user = authority.user?.includes(':') === true ? authority.user : requireUser(authority, 'the user id');
  const [uuid, password] = splitOnce(user, ':');
  params.set('uuid', decodePercent(uuid));
  params.set('password', decodePercent(password));
  setAddress(params, authority);
  return readJuicity(params);
}
