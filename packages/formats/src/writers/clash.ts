import { isIpv6 } from '../protocols/address.ts';
import { headerPrefix } from '../protocols/transport.ts';
import type { Node, NodeType } from '../node.ts';
import { listOf, type Params } from '../params.ts';
import {
  shadowTlsPlugin,
  clashHttp,
  clashNames,
  clashTransports,
  clashTypeNames,
  type ClashKind,
  type ClashNames,
} from './clash-names.ts';
import { durationMs } from './compare-node.ts';
import { lookUp } from './look-up.ts';
import { nodeParams } from './node-params.ts';
import { readPluginOptions } from '../protocols/shadowsocks.ts';

/** One entry of `proxies`. */
export type ClashProxy = Readonly<Record<string, unknown>>;

/** What mihomo refuses: one such proxy would fail the whole configuration. */
export function clashRefusal(node: Node): string | undefined {
  const { type, transport } = node;
  if (clashTypeNames[type] === undefined) return `mihomo has no proxies of type ${type}`;
  if (transport?.type === 'quic' || transport?.type === 'mkcp') return `mihomo has no transport ${transport.type}`;
  return refusals.find(([of, refuses]) => of === type && refuses(node))?.[2];
}

const refusals: readonly (readonly [NodeType, (node: Node) => boolean, string])[] = [
  ['snell', ({ version = 1 }) => Number(version) > 3, 'mihomo runs snell of versions 1 to 3 only'],
  ['snell', ({ shadow_tls }) => shadow_tls !== undefined, 'mihomo has no ShadowTLS in front of snell'],
  ['ssh', ({ user }) => user === undefined, 'mihomo runs ssh only with a user name'],
  [
    'hysteria',
    ({ up_mbps, down_mbps }) => up_mbps === undefined || down_mbps === undefined,
    'mihomo runs hysteria only with up and down',
  ],
  [
    'hysteria2',
    ({ obfs }) => typeof obfs === 'object' && obfs.type !== 'salamander',
    'mihomo has no obfuscation of hysteria2 but salamander',
  ],
];

/**
 * A node as mihomo calls it, with the settings that mihomo had and nobody else knows.
 * @param detour the name of the proxy that this one dials through
 * @see https://wiki.metacubex.one/en/config/proxies/
 */
export function clashProxy(node: Node, detour: string | undefined, extra: Node['extra'] = {}): ClashProxy {
  const proxy: Record<string, unknown> = { name: node.tag, type: clashTypeNames[node.type] };
  const params = nodeParams(node) ?? new Map<string, string>();
  const names = namesOf(node, params);
  prepare(node, params);
  for (const [name, value] of params) {
    const [key, kind] = nameOf(name, names, node) ?? [];
    const written = kind === undefined ? undefined : kinds[kind].write(value);
    if (key !== undefined && written !== undefined) setPath(proxy, key, written);
  }
  setPlugin(proxy, node);
  if (detour !== undefined) proxy['dialer-proxy'] = detour;
  for (const [name, value] of Object.entries(extra)) {
    const [key, kind] = nameOf(name, names, node) ?? [];
    if (key === undefined || kind === undefined) setPath(proxy, name, untyped(value));
    else if (kinds[kind].fits(value)) setPath(proxy, key, kinds[kind].write(value));
  }
  if (typeof proxy['peers'] === 'object') setPeers(proxy);
  return proxy;
}

const peerKeys = ['server', 'port', 'public-key', 'pre-shared-key', 'allowed-ips', 'reserved', 'persistent-keepalive'];

/** With several peers, all of them stand in the list and none beside it. */
function setPeers(proxy: Record<string, unknown>): void {
  const others = Object.values(proxy['peers'] as Record<string, unknown>);
  const first = Object.fromEntries(peerKeys.flatMap((key) => (key in proxy ? [[key, proxy[key]] as const] : [])));
  for (const key of peerKeys) delete proxy[key];
  proxy['peers'] = [first, ...others];
}

function namesOf({ type, transport }: Node, params: Params): ClashNames {
  const isCamouflage = params.get('headerType') === 'http';
  const stream = transport === undefined ? {} : isCamouflage ? clashHttp : clashTransports[transport.type];
  const names = { ...shadowTlsPlugin, ...clashNames[type] };
  // Shadowsocks has neither TLS nor a transport of its own in Clash.
  return type === 'shadowsocks' ? names : { ...names, ...stream, network: ['network', 'text'] };
}

/** Types that mihomo sends no UDP through unless it is told to. */
const udpTypes: ReadonlySet<string> = new Set(
  'shadowsocks shadowsocksr vmess vless trojan socks wireguard anytls mieru'.split(' '),
);
/** Before version 3, snell has none, and mihomo refuses to be told to. */
const asksForUdp = ({ type, version }: Node): boolean =>
  udpTypes.has(type) || (type === 'snell' && Number(version ?? 1) >= 3);

/** Types that the reader takes for being inside TLS when nothing is said. */
const tlsUnlessSaid: ReadonlySet<string> = new Set(['trusttunnel', 'h2-connect']);

/** What is more than another name. */
function prepare(node: Node, params: Params): void {
  const { type, tls, realm, extra } = node;
  const transport = params.get('type');
  if (transport !== undefined && transport !== 'tcp') params.set('network', transport === 'http' ? 'h2' : transport);
  if (params.get('headerType') === 'http') params.set('network', 'http');
  if (transport === 'httpupgrade') {
    params.set('network', 'ws');
    params.set('http-upgrade', 'true');
  }
  if (type === 'trojan' || (params.get('security') === 'none' && !tlsUnlessSaid.has(type))) params.delete('security');
  if (params.get('encryption') === 'none') params.delete('encryption');
  if (type === 'vmess' && !params.has('aid')) params.set('aid', '0');
  if (asksForUdp(node) && !params.has('udp') && extra?.['udp'] === undefined) params.set('udp', 'true');
  if (tls?.ech?.enabled === true) params.set('ech-enable', 'true');
  if (realm !== undefined) params.set('realm-enable', 'true');
  const [shortestHop] = params.get('hop-interval')?.split('-') ?? [];
  if (shortestHop !== undefined) params.set('hop-interval', shortestHop);
  if (type === 'mieru' && params.has('mport')) params.delete('port');
  if (type === 'wireguard') splitAddresses(params);
}

/** mihomo has two keys, and what stands in one may be of the other family; a third address shows when it is read back. */
function splitAddresses(params: Params): void {
  for (const item of listOf(params.get('address') ?? '') ?? []) {
    const keys = isIpv6(item.split('/')[0] ?? '') ? ['ipv6', 'ip'] : ['ip', 'ipv6'];
    const free = keys.find((key) => !params.has(key));
    if (free !== undefined) params.set(free, item);
  }
}

const own: ClashNames = {
  'http-upgrade': ['ws-opts.v2ray-http-upgrade', 'flag'],
  'ech-enable': ['ech-opts.enable', 'flag'],
};

const amneziaName = /^(?:jc|jmin|jmax|s[1-4]|h[1-4]|i[1-5]|j[1-3]|itime)$/;

function nameOf(name: string, names: ClashNames, node: Node): ClashNames[string] | undefined {
  const known = lookUp(names, name) ?? lookUp(own, name);
  if (known !== undefined) return known;
  const [, index, setting = ''] = /^peers\.(\d+)\.(.+)$/.exec(name) ?? [];
  if (index !== undefined) {
    const [key, kind] = lookUp(names, setting) ?? [setting, 'text'];
    return [`peers.${index}.${key}`, kind];
  }
  if (node.amnezia !== undefined && amneziaName.test(name)) return [`amnezia-wg-option.${name}`, 'text'];
  return name.startsWith(headerPrefix) ? headerName(name.slice(headerPrefix.length), node) : undefined;
}

const headerName = (header: string, { type, transport }: Node): ClashNames[string] => {
  if (type === 'http') return [`headers.${header}`, 'text'];
  return [`${transport?.type === 'http' ? 'http-opts' : 'ws-opts'}.headers.${header}`, 'text'];
};

interface Kind {
  readonly write: (value: string) => unknown;
  /** Whether a text that nobody understood may stand there: mihomo refuses the whole file for one that may not. */
  readonly fits: (value: string) => boolean;
}

const always = (): boolean => true;
const amountOf =
  (unitMs: number) =>
  (value: string): number | undefined => {
    const amount = /^\d{1,9}$/.test(value) ? Number(value) : (durationMs(value) ?? NaN) / unitMs;
    return Number.isSafeInteger(amount) ? amount : undefined;
  };
const seconds = amountOf(1_000);
const milliseconds = amountOf(1);

const kinds: Readonly<Record<ClashKind, Kind>> = {
  text: { write: (value) => value, fits: always },
  texts: { write: (value) => value.split(','), fits: always },
  int: { write: Number, fits: (value) => /^(?:0|[1-9]\d{0,8})$/.test(value) },
  flag: {
    write: (value) => /^(?:1|true|tls|reality)$/.test(value),
    fits: (value) => value === 'true' || value === 'false',
  },
  ints: { write: (value) => value.split(',').map(Number), fits: (value) => /^\d{1,3},\d{1,3},\d{1,3}$/.test(value) },
  seconds: { write: seconds, fits: (value) => seconds(value) !== undefined },
  milliseconds: { write: milliseconds, fits: (value) => milliseconds(value) !== undefined },
  base64: { write: (value) => value, fits: (value) => /^[A-Za-z0-9+/]+={0,2}$/.test(value) },
};

/** The reader kept only text: what looks like a flag or a number was written as one, as the reader gives it back alike. */
function untyped(value: string): unknown {
  if (value === 'true' || value === 'false') return value === 'true';
  if (/^(?:0|[1-9]\d{0,8})$/.test(value)) return Number(value);
  return value;
}

/** mihomo's own names for the plugins and for the options of one of them. */
const pluginNames: Readonly<Record<string, string>> = { 'obfs-local': 'obfs' };
const optionNames: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'obfs-local': { obfs: 'mode', 'obfs-host': 'host' },
};

function setPlugin(proxy: Record<string, unknown>, { type, plugin, plugin_opts: options, shadow_tls }: Node): void {
  if (type !== 'snell' && shadow_tls !== undefined) proxy['plugin'] = 'shadow-tls';
  if (plugin === undefined) return;
  proxy['plugin'] = lookUp(pluginNames, plugin) ?? plugin;
  const names = lookUp(optionNames, plugin) ?? {};
  const entries = readPluginOptions(options ?? '');
  // mihomo wants the mode that the plugin itself takes when none is named.
  if (plugin === 'v2ray-plugin' && !entries.some(([key]) => key === 'mode')) entries.unshift(['mode', 'websocket']);
  for (const [key, value] of entries) {
    setPath(proxy, `plugin-opts.${lookUp(names, key) ?? key}`, key === 'mux' ? value === '1' : untyped(value));
  }
}

/** Sets a value under a path of maps; where there is no such path, under the whole text as one key, which reads alike. */
function setPath(target: Record<string, unknown>, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at: Record<string, unknown> | undefined = keys.includes('') || last === '' ? undefined : target;
  for (const key of keys) {
    if (at === undefined) break;
    if (!Object.hasOwn(at, key)) defineKey(at, key, {});
    at = asMap(at[key]);
  }
  if (at !== undefined && !Object.hasOwn(at, last)) defineKey(at, last, value);
  else if (!Object.hasOwn(target, path)) defineKey(target, path, value);
}

const asMap = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

/** Keys come from outside: `__proto__` is one like any other. */
const defineKey = (target: object, key: string, value: unknown): void => {
  Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
};
