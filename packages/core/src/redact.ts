import { isOpenAddress } from './open-address.ts';

/** Field names whose values are never shown, in sing-box's, Clash's and our own spelling. */
const secretKeys = new Set([
  'password',
  'uuid',
  'private_key',
  'private_key_passphrase',
  'passphrase',
  'pre_shared_key',
  'secret',
  'token',
  'auth_token',
  'authorization',
  'proxy_authorization',
  'set_cookie',
  'cookie',
  'auth_str',
  'auth',
  'obfs_password',
  'short_id',
  'username',
  'user',
  'psk',
  'plugin_opts',
  'protocol_param',
  'obfs_param',
  'userkey',
  'seed',
  'api_key',
  'access_token',
  'auth_key',
  'mac_key',
  'api_token',
  'access_key_secret',
  'client_key',
  'zone_token',
  'mesh_psk',
]);

export const redactedMark = '***';

/** Whether a text has the mark where hiding puts it; between plain words, as in a name, it is somebody's own. */
export const isRedacted = (text: string): boolean => text === redactedMark || /[=/_:"']\*{3}/.test(text);

const depthMax = 32;

/** A copy with the values of secret fields replaced; depth is limited, deeper parts are cut off. */
export const redact = <T>(value: T, depth = depthMax): T => hideIn(value, depth, redactText) as T;

/**
 * The same of a document for an engine: addresses of rule-sets, tests and DNS servers stay whole where nothing in them looks
 * secret. Not for addresses of subscriptions.
 */
export const redactDocument = <T>(document: T, depth = depthMax): T =>
  hideIn(document, depth, (text) => (isOpenAddress(text) ? text : redactText(text))) as T;

type HideText = (text: string) => string;

function hideIn(value: unknown, depth: number, hideText: HideText): unknown {
  if (typeof value === 'string') return hideText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return redactedMark;
  if (Array.isArray(value)) return value.map((item: unknown) => hideIn(item, depth - 1, hideText));
  const entries = Object.entries(value).map(([key, item]: [string, unknown]) => [
    key,
    hideField(key, item, { depth: depth - 1, hideText }),
  ]);
  return Object.fromEntries(entries) as unknown;
}

/** Of HTTP headers only these say nothing secret. */
const openHeaders = new Set(['host', 'user-agent', 'content-type', 'accept']);

interface Hiding {
  readonly depth: number;
  readonly hideText: HideText;
}

function hideField(key: string, item: unknown, { depth, hideText }: Hiding): unknown {
  if (item === null || item === undefined || item === '') return item;
  // A text here is hysteria's password; elsewhere it is an object with one.
  if (isSecretKey(key) || (key === 'obfs' && typeof item === 'string')) return redactedMark;
  // The lines of a private key of TLS; a text there is mostly a name.
  if (key === 'key' && (Array.isArray(item) || (typeof item === 'string' && item.includes('PRIVATE KEY'))))
    return redactedMark;
  if (/^(extra[-_])?headers$/i.test(key) && typeof item === 'object') {
    const values = Object.entries(item).map(([name, value]: [string, unknown]) => [
      name,
      openHeaders.has(name.toLowerCase()) ? value : redactedMark,
    ]);
    return Object.fromEntries(values) as unknown;
  }
  return hideIn(item, depth, hideText);
}

const isSecretKey = (key: string): boolean => secretKeys.has(key.toLowerCase().replaceAll('-', '_'));

/** Of those, the ones that are no word of a sentence too. */
const secretWords = [...secretKeys].filter(
  (name) => name.includes('_') || /^(?:password|passphrase|secret|token|uuid|psk)$/.test(name),
);
/** `"password": "x"` of JSON, and `password=x`. After a bare colon engines write what is wrong with the field. */
const inJson = new RegExp(
  `(["'])(${secretWords.join('|')})\\1(\\s{0,8}:\\s{0,8})("(?:[^"\\\\]|\\\\.)*"|[^\\s,}\\]]+)`,
  'gi',
);
const assigned = new RegExp(`\\b(${secretWords.join('|')})=("[^"]*"|[^\\s,;&"']+)`, 'gi');

/** Hides what is secret in free text: our tokens, user names, queries and paths of URLs, UUIDs, values of secret fields. */
export const redactText = (text: string): string =>
  text
    .replace(inJson, `$1$2$1$3"${redactedMark}"`)
    .replace(assigned, `$1=${redactedMark}`)
    .replace(/sbox_(join|pat|svc)_[0-9A-Za-z_]+/g, `sbox_$1_${redactedMark}`)
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, redactedMark)
    // The scheme is short, so that a long line without any costs no time.
    .replace(/([a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/@"]+@)?([^\s/?#"]*)[^\s"]*/gi, hideAddress);

/** Only the host stays. Some links (`vmess://`, `ss://`) are one piece of base64 in the place of a host. */
function hideAddress(whole: string, scheme: string, user: string | undefined, host: string): string {
  // A place on this machine, as in the trace of an error.
  if (/^file:/i.test(scheme)) return whole;
  const looksLikeHost = /^(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?$/i.test(host);
  const isPlain = user !== undefined || host.includes(':') || /^(?:http|ws)s?:/i.test(scheme);
  if (!looksLikeHost || !isPlain) return `${scheme}${redactedMark}`;
  return whole === `${scheme}${host}` || whole === `${scheme}${host}/` ? whole : `${scheme}${host}/${redactedMark}`;
}
