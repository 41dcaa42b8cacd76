import type { NodeDraft } from '../node.ts';
import { readAnytls } from '../protocols/anytls.ts';
import { anytlsSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `anytls://password@host[:443]/?sni&insecure#name`. */
export function parseAnytlsLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, anytlsSpellings);
  params.set('password', requireUser(authority, 'the password'));
  setAddress(params, authority);
  if (params.get('type') === 'tcp') params.delete('type');
  return readAnytls(params);
}
