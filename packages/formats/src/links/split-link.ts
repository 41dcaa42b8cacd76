import { ProblemError } from '@sbox/core';
import { addParam, type Params, type Spellings } from '../params.ts';
import { decodePercent } from '../text/percent.ts';

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

/** Undefined when the line is no link at all. */
export function splitLink(line: string): SplitLink | undefined {
  const colon = line.indexOf('://');
  if (colon < 1 || !/^[a-z][a-z0-9+.-]*$/i.test(line.slice(0, colon))) return undefined;
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
  const params: Params = new Map();
  if (link.query !== '') {
    for (const pair of link.query.split('&')) addPair(params, pair, names);
  }
  if (link.name !== '') params.set('name', link.name);
  return params;
}

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
