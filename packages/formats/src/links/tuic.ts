import type { NodeDraft } from '../node.ts';
import { readTuic } from '../protocols/tuic.ts';
import { decodePercent } from '../text/percent.ts';
import { tuicSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/** `tuic://uuid:password@host:port?parameters#name`; a single token before the `@` is version 4. */
export function parseTuicLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, tuicSpellings);
  setAddress(params, authority);
  if (!authority.user && params.get('token')) return readTuic(params);
  const user = authority.user?.includes(':') === true ? authority.user : requireUser(authority, 'the user id');
  const colon = user.indexOf(':');
  if (colon >= 0) {
    params.set('uuid', decodePercent(user.slice(0, colon)));
    params.set('password', decodePercent(user.slice(colon + 1)));
  } else params.set(params.get('password') ? 'uuid' : 'token', user);
  return readTuic(params);
}
