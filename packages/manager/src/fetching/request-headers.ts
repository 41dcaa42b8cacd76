import { acceptedEncodings } from './decode-body.ts';

/** What is fetched. User name and password in the URL are sent as basic credentials. */
export interface FetchSource {
  readonly url: string;
  readonly user_agent?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** From the last good answer, so that the server can say that nothing changed. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly last_modified?: string | undefined;
}

/** These belong to the connection, not to the source. */
const ownedHeaders: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** `start` is the address of the source. `isHome`: the request still goes to the origin that the source names; only that one gets secrets. */
export function requestHeaders(
  start: URL,
  source: FetchSource,
  cached: Validators,
  { isHome, version }: { isHome: boolean; version: string | undefined },
): Record<string, string> {
  const custom = Object.entries(source.headers ?? {})
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !ownedHeaders.has(name));
  const login = `${unescape(start.username)}:${unescape(start.password)}`;
  return {
    accept: '*/*',
    'user-agent': source.user_agent ?? (version === undefined ? 'sbox' : `sbox/${version}`),
    ...(isHome && login !== ':' ? { authorization: `Basic ${Buffer.from(login).toString('base64')}` } : {}),
    ...(isHome ? Object.fromEntries(custom) : {}),
    'accept-encoding': acceptedEncodings,
    ...(cached.etag === undefined ? {} : { 'if-none-match': cached.etag }),
    ...(cached.last_modified === undefined ? {} : { 'if-modified-since': cached.last_modified }),
  };
}

function unescape(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
