import { ProblemError } from '@sbox/core';
import { takeFlag, takeInt, takeText, type Params } from '../params.ts';
import { splitOnce } from '../text/split-once.ts';
import { finishNode, requireText, startNode, type DraftFields, type ReadNode } from './common.ts';
import { shadowTlsPrefix } from './shadow-tls.ts';
import { optionalTls, takeTls } from './tls.ts';
import { takeTransport } from './transport.ts';

/** Ciphers that an engine still runs, and the other names some of them go by. */
const methods = new Map<string, string>([
  ...'none aes-128-gcm aes-192-gcm aes-256-gcm chacha20-ietf-poly1305 xchacha20-ietf-poly1305'.split(' ').map(same),
  ...'2022-blake3-aes-128-gcm 2022-blake3-aes-256-gcm 2022-blake3-chacha20-poly1305'.split(' ').map(same),
  ...'aes-128-ctr aes-192-ctr aes-256-ctr aes-128-cfb aes-192-cfb aes-256-cfb'.split(' ').map(same),
  ...'rc4-md5 chacha20-ietf xchacha20'.split(' ').map(same),
  ['plain', 'none'],
  ['dummy', 'none'],
  ['chacha20-poly1305', 'chacha20-ietf-poly1305'],
  ['aead_chacha20_poly1305', 'chacha20-ietf-poly1305'],
  ['aead_aes_128_gcm', 'aes-128-gcm'],
  ['aead_aes_192_gcm', 'aes-192-gcm'],
  ['aead_aes_256_gcm', 'aes-256-gcm'],
]);

function same(method: string): readonly [string, string] {
  return [method, method];
}

const pluginNames = new Map([
  ['simple-obfs', 'obfs-local'],
  ['obfs', 'obfs-local'],
]);

export const readShadowsocks: ReadNode = (params) => {
  const draft = startNode('shadowsocks', params);
  const name = requireText(params, 'method', 'the cipher').toLowerCase();
  const method = methods.get(name);
  if (method === undefined) {
    throw new ProblemError('node.unsupported', `cipher ${JSON.stringify(name.slice(0, 40))} is not known`);
  }
  const password =
    method === 'none' ? (takeText(params, 'password') ?? '') : requireText(params, 'password', 'the password');
  return finishNode(draft, params, {
    method,
    password,
    ...takePlugin(params),
    udp_over_tcp: takeUdpOverTcp(params),
  });
};

/** A SIP003 plugin, or TLS and a V2Ray transport straight under Shadowsocks: never both. ShadowTLS is no plugin of ours. */
function takePlugin(params: Params): DraftFields {
  const text = takeText(params, 'plugin');
  const [name = '', options = ''] = text === undefined ? [] : splitOnce(text, ';');
  if (name === '' || name === 'none') {
    const tls = takeTls(params, optionalTls);
    return { tls, transport: takeTransport(params, tls) };
  }
  const opts = takeText(params, 'plugin_opts') ?? options;
  if (name === 'shadow-tls') {
    for (const [key, value] of readPluginOptions(opts)) params.set(`${shadowTlsPrefix}${key}`, value);
    return {};
  }
  return {
    plugin: pluginNames.get(name) ?? name,
    plugin_opts: (name === 'v2ray-plugin' ? asV2rayOptions(opts) : opts) || undefined,
  };
}

/** Some senders name v2ray-plugin's options after those of obfs-local. */
function asV2rayOptions(text: string): string {
  if (!/(?:^|;)obfs(?:-host)?=/.test(text)) return text;
  const options = readPluginOptions(text);
  const given = new Set(options.map(([key]) => key));
  const rename = (key: string): string => {
    const name = v2rayOptionNames.get(key);
    return name === undefined || given.has(name) ? key : name;
  };
  return pluginOptions(options.map(([key, value]) => [rename(key), value] as const));
}

const v2rayOptionNames = new Map([
  ['obfs', 'mode'],
  ['obfs-host', 'host'],
]);

/** Keys and values of SIP003 options; a bare flag is `true`. */
export const readPluginOptions = (text: string): (readonly [string, string])[] =>
  (text.match(/(?:\\.|[^;\\])+/gs) ?? []).map((option) => {
    const [, key = '', value] = /^((?:\\.|[^=\\])*)(?:=(.*))?$/s.exec(option) ?? [];
    return [unescapeOption(key).trim(), value === undefined ? 'true' : unescapeOption(value)] as const;
  });

const unescapeOption = (text: string): string => text.replace(/\\(.)/gs, '$1');

export function takeUdpOverTcp(params: Params): DraftFields['udp_over_tcp'] {
  const isOn = takeFlag(params, 'uot') === true;
  const version = takeInt(params, 'uot_version', 2);
  if (!isOn) return undefined;
  return version === undefined ? true : { enabled: true, version };
}

/** SIP003 options from keys and values; a value `true` is a bare flag. */
export const pluginOptions = (entries: Iterable<readonly [string, string]>): string =>
  [...entries].map(([key, value]) => (value === 'true' ? key : `${key}=${escapeOption(value)}`)).join(';');

const escapeOption = (value: string): string => value.replace(/[\\;=]/g, String.raw`\$&`);
