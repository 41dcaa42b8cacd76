import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { takeText, type Params } from '../params.ts';
import { pluginOptions, readShadowsocks } from '../protocols/shadowsocks.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { splitOnce } from '../text/split-once.ts';
import { parseJsonObject, settingText } from './json-object.ts';
import { shadowsocksSpellings } from './spellings.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * SIP002 `ss://userinfo@host:port/?plugin#name`, userinfo plain or base64, and the older `ss://base64(all)#name`.
 * @see https://shadowsocks.org/doc/sip002.html
 */
export function parseShadowsocksLink(link: SplitLink): NodeDraft {
  const params = linkParams(link, shadowsocksSpellings);
  const whole = link.body.includes('@') ? link.body : legacyBody(link.body);
  const authority = splitAuthority(whole);
  setAddress(params, authority);
  // In the older form everything was inside the base64, so nothing in it is escaped.
  const [method, password] =
    whole === link.body ? splitUser(authority.user ?? '') : splitOnce(authority.user ?? '', ':');
  params.set('method', method);
  params.set('password', password);
  for (const [key, read] of jsonPlugins) applyJsonPlugin(params, key, read);
  return readShadowsocks(params);
}

function legacyBody(body: string): string {
  const text = decodePercent(body);
  const decoded = [text.replace(/\/$/, ''), text].map(decodeBase64).find((whole) => whole?.includes('@') === true);
  if (decoded === undefined) {
    throw new ProblemError(
      'node.malformed',
      'the part after ss:// is neither method:password@server:port nor base64 of it',
    );
  }
  return decoded;
}

/** A plain user part holds a colon, which base64 cannot. */
function splitUser(user: string): readonly [string, string] {
  if (user.includes(':')) {
    const [method, password] = splitOnce(user, ':');
    return [decodePercent(method), decodePercent(password)];
  }
  const decoded = decodePercent(user);
  const plain = decoded.includes(':') ? decoded : decodeBase64(decoded);
  if (plain === undefined || !plain.includes(':')) {
    throw new ProblemError('node.malformed', 'the part before the @ is neither method:password nor base64 of it');
  }
  // 2022 passwords hold colons themselves, so the first one cuts.
  return splitOnce(plain, ':');
}

type ReadPlugin = (
  take: (key: string) => string,
) => readonly [name: string, options: Iterable<readonly [string, string]>];

const taken = (take: (key: string) => string, ...keys: readonly string[]): (readonly [string, string])[] =>
  keys.map((key) => [key, take(key)] as const);

/** Shadowrocket's plugins: base64 of JSON, each under a key of its own; address and port replace the server's. */
const jsonPlugins: readonly (readonly [string, ReadPlugin])[] = [
  ['shadow-tls', (take) => ['shadow-tls', taken(take, 'host', 'password', 'version')]],
  [
    'gost',
    (take) => {
      const route = take('route');
      return [
        'gost-plugin',
        [['mode', route === 'ws' || route === '' ? 'websocket' : route], ...taken(take, 'host', 'path')],
      ];
    },
  ],
  ['v2ray-plugin', (take) => ['v2ray-plugin', taken(take, 'mode', 'host', 'path', 'tls', 'mux')]],
];

function applyJsonPlugin(params: Params, key: string, read: ReadPlugin): void {
  const encoded = takeText(params, key);
  if (encoded === undefined) return;
  const json = parseJsonObject(decodeBase64(encoded));
  if (json === undefined) throw new ProblemError('node.malformed', `${key} is not base64 of a JSON object`);
  const rest = new Map(Object.entries(json).map(([name, value]) => [name, settingText(value)]));
  const take = (name: string): string => takeText(rest, name) ?? '';
  const [address, port] = [take('address'), take('port')];
  if (address !== '') params.set('server', address);
  if (port !== '') params.set('port', port);
  const [name, options] = read(take);
  params.set('plugin', name);
  params.set('plugin_opts', pluginOptions([...options].filter(([, value]) => value !== '' && value !== 'false')));
  for (const [option, value] of rest) params.set(`${key}.${option}`, value);
}
