import type { NodeDraft } from '../node.ts';
import { readAnytls } from '../protocols/anytls.ts';
import { decodePercent } from '../text/percent.ts';
import { splitOnce } from '../text/split-once.ts';
import { anytlsSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `anytls://password@host[:443]/?sni&insecure#name`. */
export function parseAnytlsLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, anytlsSpellings);
  const [first, second] = splitOnce(authority.user ?? '', ':');
  // The protocol has no user names: clients send what is behind the colon.
  params.set('password', second === '' ? requireUser(authority, 'the password') : decodePercent(second));
  if (second !== '') params.set('username', decodePercent(first));
  setAddress(params, authority);
  if (params.get('type') === 'tcp') params.delete('type');
  return readAnytls(params);
}
