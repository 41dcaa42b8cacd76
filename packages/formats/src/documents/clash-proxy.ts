import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, takeFlag, takeText, type Params } from '../params.ts';
import { pluginOptions } from '../protocols/shadowsocks.ts';
import { headerPrefix } from '../protocols/transport.ts';
import { clashTypes, type ClashType } from './clash-fields.ts';

/** Aliases can make a small text huge: a proxy with more settings than this is refused. */
const maxSettings = 512;
const maxDepth = 6;
const maxSettingLength = 64 * 1024;

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
  refuseChains(settings, type);
  return type.read(clashParams(settings, type));
}

/** What goes through something else first would be another node without it. */
function refuseChains(settings: Params, { type }: ClashType): void {
  if (settings.get('dialer-proxy')) {
    throw new ProblemError('node.unsupported', 'the proxy goes through another one (dialer-proxy)');
  }
  if (type !== 'shadowsocks' && settings.get('plugin')) {
    throw new ProblemError('node.unsupported', 'plugins are supported for Shadowsocks only');
  }
  if (settings.has('peers.1.server') || settings.has('peers.1.public-key')) {
    throw new ProblemError('node.unsupported', 'WireGuard with several peers is not supported');
  }
}

function clashParams(settings: Params, type: ClashType): Params {
  const params: Params = new Map();
  const options: [string, string][] = [];
  for (const [key, value] of settings) {
    if (key.startsWith('plugin-opts.')) options.push([key.slice('plugin-opts.'.length), value]);
    else addParam(params, key.replace(/^peers\.0\./, ''), value, type.names);
  }
  renameHeaders(params);
  setTransport(params);
  if (takeFlag(params, 'ech-opts.enable') !== true) {
    params.delete('ech');
    params.delete('ech_query_name');
  }
  if (type.isAlwaysTls === true) params.delete('security');
  if (options.length > 0) params.set('plugin_opts', clashPluginOptions(params.get('plugin') ?? '', options));
  type.prepare?.(params);
  return params;
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

/** Settings by their path: maps with dots, lists of scalars with commas, lists of maps with numbers. */
function flatten(item: object): [string, string][] {
  const settings: [string, string][] = [];
  const visit = (value: unknown, path: string, depth: number): void => {
    if (settings.length >= maxSettings || depth > maxDepth) {
      throw new ProblemError(
        'node.malformed',
        `the proxy has more than ${maxSettings} settings, or is nested too deep`,
      );
    }
    if (typeof value !== 'object' || value === null) {
      const text = scalarText(value);
      if (text !== undefined) settings.push([path, text]);
    } else if (Array.isArray(value) && value.every((part) => typeof part !== 'object' || part === null)) {
      settings.push([path, joinScalars(value)]);
    } else {
      for (const [key, part] of Object.entries(value)) visit(part, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(item, '', 0);
  return settings;
}

function joinScalars(items: readonly unknown[]): string {
  const text = items
    .slice(0, maxSettings)
    .map((item) => scalarText(item) ?? '')
    .join(',');
  if (text.length > maxSettingLength) throw new ProblemError('node.malformed', 'a list of the proxy is too long');
  return text;
}

/** A plain `null` or `~` means that nothing was set. */
function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '~' || value === 'null' ? undefined : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}
