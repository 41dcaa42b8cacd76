import type { NodeDraft } from '../node.ts';
import { readSsh } from '../protocols/ssh.ts';
import { sshSpellings } from './spellings.ts';
import { linkParams, setLogin, splitAuthority, type SplitLink } from './split-link.ts';

/** `ssh://user:pass@host:22/?pk=<key>&pkp=<its passphrase>&hk=<host keys>#name`. */
export function parseSshLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, sshSpellings);
  setLogin(params, splitAuthority(link.body));
  return readSsh(params);
}
