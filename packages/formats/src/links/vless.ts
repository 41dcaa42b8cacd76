import type { NodeDraft } from '../node.ts';
import type { Params } from '../params.ts';
import { readVless } from '../protocols/vless.ts';
import { shadowrocketParams } from './shadowrocket.ts';
import { streamSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * `vless://uuid@host:port?parameters#name`, and Shadowrocket's form.
 * @see https://github.com/XTLS/Xray-core/discussions/716
 */
export function parseVlessLink(link: SplitLink): NodeDraft {
  if (!link.body.includes('@')) return readVless(asVless(link));
  const authority = splitAuthority(link.body);
  const params = linkParams(link, streamSpellings);
  params.set('uuid', requireUser(authority, 'the user id'));
  setAddress(params, authority);
  return readVless(params);
}

function asVless(link: SplitLink): Params {
  const params = shadowrocketParams(link);
  params.delete('scy');
  return params;
}
