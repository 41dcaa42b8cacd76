import type { NodeDraft } from '../node.ts';
import type { Params } from '../params.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { decodePercent } from '../text/percent.ts';
import { hysteria2Spellings } from './spellings.ts';
import {
  linkParams,
  requireUser,
  setAddress,
  setPortRanges,
  splitAuthority,
  type Authority,
  type SplitLink,
} from './split-link.ts';

/**
 * `hysteria2://auth@host:ports/?parameters#name`; `user:password` is one password.
 * @see https://v2.hysteria.network/docs/developers/URI-Scheme/
 */
export function parseHysteria2Link(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, hysteria2Spellings);
  if (authority.user) params.set('password', decodePercent(authority.user));
  setAddress(params, authority);
  setPortRanges(params, authority);
  return readHysteria2(params);
}

/** `hysteria2+realm://token@rendezvous/id?auth=..&stun=..`: the server is found through the rendezvous server. */
export function parseHysteria2RealmLink(link: SplitLink): NodeDraft {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, hysteria2Spellings);
  setAddress(params, authority);
  setStunServers(params, link);
  setRealm(params, link, authority);
  return readHysteria2(params);
}

/** Each server may have a `stun=` of its own. */
function setStunServers(params: Params, { query }: SplitLink): void {
  const servers = query.split('&').filter((pair) => pair.startsWith('stun='));
  if (servers.length > 1) params.set('stun', servers.map((pair) => decodePercent(pair.slice(5))).join(','));
}

function setRealm(params: Params, { body }: SplitLink, authority: Authority): void {
  const slash = body.indexOf('/', body.lastIndexOf('@') + 1);
  const host = authority.host.includes(':') && !authority.host.startsWith('[') ? `[${authority.host}]` : authority.host;
  params.set('realm-token', requireUser(authority, 'the token of the realm'));
  params.set('realm-server-url', `https://${host}${authority.port === '' ? '' : `:${authority.port}`}`);
  params.set('realm-id', slash < 0 ? '' : decodePercent(body.slice(slash + 1).replace(/\/$/, '')));
}
