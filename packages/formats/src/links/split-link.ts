import { ProblemError } from '@sbox/core';
import { addParam, type Params, type Spellings } from '../params.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { splitOnce } from '../text/split-once.ts';
import { startLinkParams } from './link-params.ts';

/**
 * A share link cut by hand. `new URL()` is no help: it lower-cases, refuses port lists, drops tabs, and treats unknown
 * schemes in its own way.
 */
export interface SplitLink {
  readonly scheme: string;
  /** Between `://` and the query, undecoded: user part, server and port, or base64 of them. */
  readonly body: string;
  /** Between the first `?` and the first `#`, undecoded. */
  readonly query: string;
  /** After the first `#`, decoded, with all further `#`. */
  readonly name: string;
}

export interface Authority {
  /** Undecoded; undefined without an `@`. */
  readonly user: string | undefined;
  readonly host: string;
  readonly port: string;
}

const linkStart = /^[a-z][a-z0-9+.-]*(?=:\/\/)/iy;

/** Where the scheme of a link ends; 0 when the line is no link. */
function schemeEnd(line: string): number {
  linkStart.lastIndex = 0;
  return linkStart.test(line) ? linkStart.lastIndex : 0;
}

/** Undefined when the line is no link at all. */
export function splitLink(line: string): SplitLink | undefined {
  const colon = schemeEnd(line);
  if (colon === 0) return undefined;
  const hash = line.indexOf('#', colon);
  const end = hash < 0 ? line.length : hash;
  const question = line.indexOf('?', colon);
  const bodyEnd = question < 0 || question > end ? end : question;
  return {
    scheme: line.slice(0, colon).toLowerCase(),
    body: line.slice(colon + 3, bodyEnd),
    query: line.slice(bodyEnd + 1, end),
    name: hash < 0 ? '' : decodePercent(line.slice(hash + 1)),
  };
}

/** Cuts `user@host:port/path`: the last `@`, the last `:` outside brackets. IPv6 without brackets needs a port. */
export function splitAuthority(body: string): Authority {
  const at = body.lastIndexOf('@');
  const slash = body.indexOf('/', at + 1);
  const address = body.slice(at + 1, slash < 0 ? body.length : slash);
  const bracket = address.lastIndexOf(']');
  const colon = address.lastIndexOf(':');
  const hostEnd = colon > bracket ? colon : address.length;
  return {
    user: at < 0 ? undefined : body.slice(0, at),
    host: decodePercent(address.slice(0, hostEnd)),
    port: address.slice(hostEnd + 1),
  };
}

/** The part before the `@`, decoded. @throws ProblemError `node.missing-field`. */
export function requireUser({ user }: Authority, what: string): string {
  if (user === undefined || user === '')
    throw new ProblemError('node.missing-field', `${what} is missing before the @`);
  return decodePercent(user);
}

/** The query's settings and the name; a key without `=` means yes. */
export function linkParams(link: SplitLink, names: Spellings): Params {
  const params = startLinkParams();
  const { query } = link;
  for (let start = 0; start < query.length;) {
    const ampersand = query.indexOf('&', start);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf('=', start);
    const name = equals < 0 || equals > end ? undefined : names.get(query.slice(start, equals));
    if (name === undefined || params.has(name)) addPair(params, query.slice(start, end), names);
    else params.set(name, decodePercent(query.slice(equals + 1, end)));
    start = end + 1;
  }
  if (link.name !== '') params.set('name', link.name);
  return params;
}

/** A pair whose key is not one of those that most links have, as they write it. */
function addPair(params: Params, pair: string, names: Spellings): void {
  // Links copied out of HTML have `&amp;` between their pairs.
  const clean = pair.startsWith('amp;') ? pair.slice(4) : pair;
  if (clean === '') return;
  const equals = clean.indexOf('=');
  const key = decodePercent(equals < 0 ? clean : clean.slice(0, equals)).trim();
  if (key !== '') addParam(params, key, equals < 0 ? 'true' : decodePercent(clean.slice(equals + 1)), names);
}

export function setAddress(params: Params, { host, port }: Authority): void {
  params.set('server', host);
  params.set('port', port);
}

/** A port may be a list of ranges where a protocol hops between ports. */
export function setPortRanges(params: Params, { port }: Authority): void {
  if (!/[-,]/.test(port)) return;
  params.set('mport', port);
  params.set('port', '');
}

/** User name and password before the `@`: plain and escaped, or base64 of `user:password`. */
function splitCredentials({ user = '' }: Authority): readonly [string, string] {
  const decoded = user.includes(':') ? undefined : decodeBase64(decodePercent(user));
  if (decoded?.includes(':') === true) return splitOnce(decoded, ':');
  const [username, password] = splitOnce(user, ':');
  return [decodePercent(username), decodePercent(password)];
}

/** Server, port, user name and password as settings; what is empty does not hide a parameter of the query. */
export function setLogin(params: Params, authority: Authority): void {
  setAddress(params, authority);
  const [username, password] = splitCredentials(authority);
  if (username !== '') params.set('username', username);
  if (password !== '') params.set('password', password);
}
