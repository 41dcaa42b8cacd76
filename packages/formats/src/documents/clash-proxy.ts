import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, takeFlag, takeText, type Params } from '../params.ts';
import { shadowTlsPrefix } from '../protocols/shadow-tls.ts';
import { pluginOptions } from '../protocols/shadowsocks.ts';
import { headerPrefix } from '../protocols/transport.ts';
import { clashTypes, type ClashType } from './clash-fields.ts';
import { flatten } from './flatten.ts';

/** Reads one entry of `proxies`, whose scalars are all text. @throws ProblemError `node.*` */
export function readClashProxy(item: unknown): NodeDraft {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new ProblemError('node.malformed', 'the proxy is not a map of settings');
  }
  const settings = new Map(flatten(item));
  const typeName = settings.get('type')?.toLowerCase() ?? '';
  settings.delete('type');
  const type = clashTypes.get(typeName);
  if (type === undefined) {
    throw typeName === ''
      ? new ProblemError('node.missing-field', 'the type is missing')
      : new ProblemError(
          'node.unsupported',
          `proxies of type ${JSON.stringify(typeName.slice(0, 32))} are not supported`,
        );
  }
  if (type.type !== 'shadowsocks' && settings.get('plugin') && settings.get('plugin') !== 'shadow-tls') {
    throw new ProblemError('node.unsupported', 'plugins are supported for Shadowsocks only');
  }
  const detour = takeText(settings, 'dialer-proxy');
  const draft = type.read(clashParams(settings, type));
  if (detour !== undefined && detour !== 'DIRECT') draft.detour = detour;
  return draft;
}

function clashParams(settings: Params, type: ClashType): Params {
  const params: Params = new Map();
  const options: [string, string][] = [];
  const hasPeers = settings.has('peers.0.server');
  for (const [key, value] of settings) {
    const peer = /^peers\.([1-9]\d*)\.(.*)$/.exec(key);
    if (key.startsWith('plugin-opts.')) options.push([key.slice('plugin-opts.'.length), value]);
    else if (peer !== null)
      params.set(`peers.${peer[1]}.${type.names.get(peer[2]?.toLowerCase() ?? '') ?? peer[2]}`, value);
    // With a list of peers, the address beside it is not used.
    else if (!hasPeers || (key !== 'server' && key !== 'port'))
      addParam(params, key.replace(/^peers\.0\./, ''), value, type.names);
  }
  renameHeaders(params);
  setTransport(params);
  if (takeFlag(params, 'ech-opts.enable') !== true) {
    params.delete('ech');
    params.delete('ech_query_name');
  }
  if (type.isAlwaysTls === true) params.set('security', 'true');
  setPlugin(params, options);
  if (type.isAlwaysTls === true) params.delete('security');
  type.prepare?.(params);
  return params;
}

/** ShadowTLS is no plugin to us but a connection in front; snell has it among its ways to obfuscate. */
function setPlugin(params: Params, options: readonly (readonly [string, string])[]): void {
  const plugin = params.get('plugin') ?? '';
  if (plugin === 'shadow-tls') {
    params.delete('plugin');
    setShadowTls(params, options);
  } else if (params.get('obfs') === 'shadow-tls') {
    const nested = [...params].filter(([key]) => key.startsWith('obfs-opts.'));
    for (const [key] of nested) params.delete(key);
    params.delete('obfs');
    const host = takeText(params, 'obfs-host') ?? '';
    setShadowTls(params, [['host', host], ...nested.map(([key, value]) => [key.slice(10), value] as const)]);
  } else if (options.length > 0) params.set('plugin_opts', clashPluginOptions(plugin, options));
}

const shadowTlsNames: Readonly<Record<string, string>> = {
  'skip-cert-verify': 'insecure',
  'client-fingerprint': 'fp',
};

function setShadowTls(params: Params, options: readonly (readonly [string, string])[]): void {
  for (const [key, value] of options) params.set(`${shadowTlsPrefix}${shadowTlsNames[key] ?? key}`, value);
  const hasTls = takeFlag(new Map(params), 'security') === true;
  const fingerprint = params.get('fp');
  if (hasTls || fingerprint === undefined || params.has(`${shadowTlsPrefix}fp`)) return;
  params.delete('fp');
  params.set(`${shadowTlsPrefix}fp`, fingerprint);
}

const headerKeys = /^(?:ws-opts\.headers|ws-headers|headers)\.(.+)$/;

function renameHeaders(params: Params): void {
  for (const [key, value] of params) {
    const name = headerKeys.exec(key)?.[1];
    if (name === undefined) continue;
    params.delete(key);
    params.set(`${headerPrefix}${name}`, value);
  }
}

/** Clash's `http` is HTTP/1.1 camouflage, and an HTTP upgrade is a flag of its WebSocket. */
function setTransport(params: Params): void {
  if (params.get('type') === 'http') {
    params.set('type', 'tcp');
    params.set('headerType', 'http');
    // Clash picks one of several paths at random; sing-box knows one.
    const [path] = params.get('path')?.split(',') ?? [];
    if (path !== undefined) params.set('path', path);
  }
  if (takeFlag(params, 'ws-opts.v2ray-http-upgrade') !== true) return;
  params.set('type', 'httpupgrade');
  takeText(params, 'ed');
}

const optionNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  obfs: { mode: 'obfs', host: 'obfs-host' },
  'simple-obfs': { mode: 'obfs', host: 'obfs-host' },
  'obfs-local': { mode: 'obfs', host: 'obfs-host' },
};

function clashPluginOptions(plugin: string, options: readonly (readonly [string, string])[]): string {
  const names = optionNames[plugin] ?? {};
  return pluginOptions(
    options
      .map(([key, value]) => [names[key] ?? key, key === 'mux' ? (value === 'true' ? '1' : '0') : value] as const)
      .filter(([, value]) => value !== 'false' && value !== ''),
  );
}
