import { takeText, type Params } from '../params.ts';
import { lookUp } from './look-up.ts';

/** Makes a link of settings under their canonical names; they are its own copy. */
export type FormatLink = (params: Params, name: string) => string;

/** Takes what it shows before the `@` out of the settings. */
export type FormatUser = (params: Params) => string | undefined;

/** `scheme://user@host:port?name=value#name` of one type. */
export interface UriForm {
  readonly scheme: string | ((params: Params) => string);
  readonly user?: FormatUser;
  /** The spelling that other programs read, where it is not the canonical one. */
  readonly names?: Readonly<Record<string, string>>;
  /** Settings that would only repeat the default, as `name=value`. */
  readonly unsaid?: ReadonlySet<string>;
  /** Straightens what is more than another name. */
  readonly prepare?: (params: Params) => void;
}

export const encode = (text: string): string => encodeURIComponent(text.toWellFormed());

export const uriLink =
  (form: UriForm): FormatLink =>
  (params, name) => {
    form.prepare?.(params);
    const scheme = typeof form.scheme === 'string' ? form.scheme : form.scheme(params);
    const user = form.user?.(params);
    const authority = `${user === undefined ? '' : `${user}@`}${takeAddress(params)}`;
    joinEarlyData(params);
    const said = [...params].filter(([key, value]) => form.unsaid?.has(`${key}=${value}`) !== true);
    const query = formatQuery(said.map(([key, value]) => [lookUp(form.names ?? {}, key) ?? key, value]));
    return `${scheme}://${authority}${query}#${encode(name)}`;
  };

/** `host:port`, with IPv6 in brackets. */
export function takeAddress(params: Params): string {
  const host = takeText(params, 'server') ?? '';
  const port = takeText(params, 'port');
  return `${host.includes(':') ? `[${host}]` : encode(host)}${port === undefined ? '' : `:${port}`}`;
}

export const formatQuery = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.length === 0 ? '' : `?${pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join('&')}`;

/** One setting before the `@`. */
export const userOf =
  (name: string): FormatUser =>
  (params) => {
    const user = takeText(params, name);
    return user === undefined ? undefined : encode(user);
  };

/** Two settings before the `@`, with a colon between them. */
export const userAndPassword =
  (first: string, second: string): FormatUser =>
  (params) => {
    const [one, other] = [takeText(params, first), takeText(params, second)];
    return one === undefined && other === undefined ? undefined : `${encode(one ?? '')}:${encode(other ?? '')}`;
  };

/** Early data stands in the path; only a header of another name, or no path at all, needs keys of its own. */
export function joinEarlyData(params: Params): void {
  const path = params.get('path');
  const size = params.get('ed');
  if (path === undefined || size === undefined || params.get('eh') !== 'Sec-WebSocket-Protocol') return;
  params.delete('ed');
  params.delete('eh');
  params.set('path', `${path}${path.includes('?') ? '&' : '?'}ed=${size}`);
}
