import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { takeText, type Params } from '../params.ts';
import { pluginOptions, readShadowsocks } from '../protocols/shadowsocks.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { splitOnce } from '../text/split-once.ts';
import { readJsonObject } from './json-object.ts';
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
  for (const [key, apply] of jsonPlugins) applyJsonPlugin(params, key, apply);
  return readShadowsocks(params);
}

function legacyBody(body: string): string {
  const decoded = decodeBase64(decodePercent(body.replace(/\/$/, '')));
  if (decoded === undefined || !decoded.includes('@')) {
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

type ApplyPlugin = (params: Params, json: ReadonlyMap<string, string>) => void;

/** Shadowrocket's plugins: base64 of JSON, each under a key of its own; address and port replace the server's. */
const jsonPlugins: readonly (readonly [string, ApplyPlugin])[] = [
  [
    'shadow-tls',
    (params, json) =>
      setPlugin(params, 'shadow-tls', pick(json, { host: 'host', password: 'password', version: 'version' })),
  ],
  [
    'gost',
    (params, json) =>
      setPlugin(params, 'gost-plugin', [
        ['mode', json.get('route') === 'ws' ? 'websocket' : (json.get('route') ?? 'websocket')],
        ...pick(json, { host: 'host', path: 'path' }),
      ]),
  ],
  [
    'v2ray-plugin',
    (params, json) =>
      setPlugin(
        params,
        'v2ray-plugin',
        pick(json, { mode: 'mode', host: 'host', path: 'path', tls: 'tls', mux: 'mux' }),
      ),
  ],
];

function applyJsonPlugin(params: Params, key: string, apply: ApplyPlugin): void {
  const encoded = takeText(params, key);
  if (encoded === undefined) return;
  const json = readJsonObject(decodeBase64(encoded));
  if (json === undefined) throw new ProblemError('node.malformed', `${key} is not base64 of a JSON object`);
  const address = json.get('address');
  const port = json.get('port');
  if (address) params.set('server', address);
  if (port) params.set('port', port);
  apply(params, json);
}

function setPlugin(params: Params, name: string, options: readonly (readonly [string, string])[]): void {
  params.set('plugin', name);
  params.set('plugin_opts', pluginOptions(options.filter(([, value]) => value !== '' && value !== 'false')));
}

const pick = (
  json: ReadonlyMap<string, string>,
  keys: Readonly<Record<string, string>>,
): (readonly [string, string])[] => Object.entries(keys).map(([from, to]) => [to, json.get(from) ?? ''] as const);
