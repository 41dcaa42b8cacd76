import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, takeFlag, takeText, type Params } from '../params.ts';
import { shadowTlsPrefix } from '../protocols/shadow-tls.ts';
import { pluginOptions } from '../protocols/shadowsocks.ts';
import { headerPrefix } from '../protocols/transport.ts';
import { splitCommaFields, splitHeaders, type CommaFields } from './comma-fields.ts';
import { splitEndpoint } from './endpoint.ts';
import { splitAssignment } from './ini.ts';
import { lineTypes, type LineType } from './surge-fields.ts';

/** What a line may refer to elsewhere in its document. */
export interface LineContext {
  /** The settings of `[WireGuard name]`. */
  readonly wireguard?: ReadonlyMap<string, CommaFields>;
  /** The private keys of `[Keystore]`, as PEM. */
  readonly keys?: ReadonlyMap<string, string>;
}

/** `name = type, server, port, ...` of Surge and Loon. @throws ProblemError `node.*` */
export function readSurgeLine(line: string, context: LineContext = {}): NodeDraft {
  const [name, rest] = splitAssignment(line) ?? [];
  if (name === undefined || rest === undefined)
    throw new ProblemError('node.malformed', 'the line has no form like name = type, server, port');
  const fields = splitCommaFields(rest);
  const [typeName = '', ...plain] = fields.plain;
  const type = lineTypes.get(typeName.toLowerCase());
  if (type === undefined) throw unknownType(typeName);
  const params: Params = new Map();
  if (type.type !== 'wireguard') {
    params.set('server', plain.shift() ?? '');
    params.set('port', plain.shift() ?? '');
  }
  for (const [index, value] of plain.entries()) {
    const key = type.plain[index];
    // Loon's first versions wrote `transport:ws` behind the secrets.
    const old = /^([a-z-]+):(.*)$/.exec(value);
    if (key !== undefined) params.set(key, value);
    else if (old !== null && old[2]?.startsWith('//') === false)
      addParam(params, old[1] ?? '', old[2] ?? '', type.names);
  }
  addPairs(params, fields.pairs, type);
  if (name !== '') params.set('name', name);
  straighten(params, type, { isLoon: fields.hasQuotedPlain, context });
  const detour = takeText(params, 'underlying-proxy');
  const draft = type.read(params);
  if (detour !== undefined && detour.toUpperCase() !== 'DIRECT') draft.detour = detour;
  return draft;
}

function unknownType(name: string): ProblemError {
  const reason =
    name.toLowerCase() === 'external'
      ? 'external proxies run a program on the machine of the client'
      : `proxies of type ${JSON.stringify(name.slice(0, 32))} are not supported`;
  return new ProblemError('node.unsupported', reason);
}

function addPairs(params: Params, pairs: CommaFields['pairs'], type: LineType): void {
  for (const [key, value] of pairs) {
    if (/^(?:ws-)?headers$/i.test(key)) addHeaders(params, value);
    else addParam(params, key, value, type.names);
  }
}

function addHeaders(params: Params, text: string): void {
  for (const [name, value] of splitHeaders(text)) params.set(`${headerPrefix}${name}`, value);
}

interface Straighten {
  readonly isLoon: boolean;
  readonly context: LineContext;
}

/** Turns what these programs say in their own way into what the readers of the protocols take. */
function straighten(params: Params, type: LineType, { isLoon, context }: Straighten): void {
  if (type.isAlwaysTls === true) params.set('security', 'tls');
  if (takeFlag(params, 'ws') === true) params.set('type', 'ws');
  setTransport(params, type);
  setShadowTls(params, type);
  if (isLoon && params.get('hop-interval')?.includes('-') === true)
    throw new ProblemError('node.invalid-value', 'Loon knows no range for the interval of port hopping');
  replace(params, 'mport', ';', ',');
  replace(params, 'alpn', 'http1.1', 'http/1.1');
  byType.get(type.type)?.(params, context);
}

function replace(params: Params, name: string, from: string, to: string): void {
  const value = params.get(name);
  if (value?.includes(from) === true) params.set(name, value.replaceAll(from, to));
}

/** Loon's `http` is camouflage of TCP; a Host among the headers of a WebSocket is its host. */
function setTransport(params: Params, { type }: LineType): void {
  if (type === 'http' || type === 'trusttunnel' || type === 'h2-connect') return;
  if (params.get('type') === 'http') {
    params.set('type', 'tcp');
    params.set('headerType', 'http');
  }
  for (const [key, value] of params) {
    if (key.toLowerCase() !== `${headerPrefix}host` || params.has('host')) continue;
    params.delete(key);
    params.set('host', value);
  }
}

/** Where the node has no TLS of its own, what is said about TLS is about ShadowTLS. */
function setShadowTls(params: Params, { type }: LineType): void {
  const version = params.get(`${shadowTlsPrefix}version`);
  if (version === '1') throw new ProblemError('node.unsupported', 'version 1 of ShadowTLS is not supported here');
  if (!params.has(`${shadowTlsPrefix}host`) || (type !== 'shadowsocks' && type !== 'snell')) return;
  for (const name of ['alpn', 'insecure', 'fp']) {
    const value = takeText(params, name);
    if (value !== undefined) params.set(`${shadowTlsPrefix}${name}`, value);
  }
}

const byType: ReadonlyMap<string, (params: Params, context: LineContext) => void> = new Map([
  ['shadowsocks', setObfs],
  ['vmess', setVmess],
  ['hysteria2', setHysteria2],
  ['wireguard', setWireguard],
  ['ssh', setKey],
]);

function setObfs(params: Params): void {
  const obfs = takeText(params, 'obfs');
  if (obfs !== 'http' && obfs !== 'tls') {
    if (obfs !== undefined) params.set('obfs', obfs);
    return;
  }
  params.set('plugin', 'obfs-local');
  params.set(
    'plugin_opts',
    pluginOptions(
      [
        ['obfs', obfs],
        ['obfs-host', takeText(params, 'obfs-host') ?? ''] as const,
        ['obfs-uri', takeText(params, 'obfs-uri') ?? ''] as const,
      ].filter(([, value]) => value !== '') as [string, string][],
    ),
  );
}

/** Surge says whether the header is the newer one; it knows no `none` cipher. */
function setVmess(params: Params): void {
  const isAead = takeFlag(params, 'vmess-aead') ?? takeFlag(params, 'aead');
  if (isAead === false && !params.get('aid')) params.set('aid', '1');
  if (isAead !== undefined && params.get('scy') === 'none' && !params.has('obfs-host')) params.set('scy', 'auto');
}

function setHysteria2(params: Params): void {
  for (const type of ['salamander', 'gecko']) {
    const password = takeText(params, `${type}-password`);
    if (password === undefined) continue;
    params.set('obfs', type);
    params.set('obfs-password', password);
  }
}

const wireguardNames = lineTypes.get('wireguard')?.names ?? new Map<string, string>();

/** Surge keeps the settings in a section of their own, Loon in the line. */
function setWireguard(params: Params, { wireguard }: LineContext): void {
  const section = takeText(params, 'section-name');
  if (section !== undefined) {
    const fields = wireguard?.get(section.toLowerCase());
    if (fields === undefined) throw new ProblemError('node.missing-field', 'the section with its settings is missing');
    for (const [key, value] of fields.pairs) addParam(params, key, value, wireguardNames);
  }
  const own = ['self-ip', 'interface-ip', 'self-ip-v6', 'interface-ipv6'].map((name) => takeText(params, name));
  params.set('address', own.filter((address) => address !== undefined).join(','));
  const keepalive = takeText(params, 'keepalive');
  const peers = (takeText(params, 'peer') ?? takeText(params, 'peers') ?? '').matchAll(/[({]([^(){}]*)[)}]/g);
  for (const [index, match] of [...peers].entries()) addPeer(params, index, match[1] ?? '', keepalive);
}

function addPeer(params: Params, index: number, text: string, keepalive: string | undefined): void {
  const prefix = index === 0 ? '' : `peers.${index}.`;
  if (keepalive !== undefined) params.set(`${prefix}keepalive`, keepalive);
  for (const [key, value] of splitCommaFields(text).pairs) {
    const name = wireguardNames.get(key.toLowerCase()) ?? key;
    if (key.toLowerCase() === 'endpoint') {
      const { host, port } = splitEndpoint(value);
      params.set(`${prefix}server`, host);
      params.set(`${prefix}port`, port);
    } else params.set(`${prefix}${name}`, name === 'reserved' ? value.replaceAll('/', ',') : value);
  }
}

/** The private key is named and stands in `[Keystore]`. */
function setKey(params: Params, { keys }: LineContext): void {
  const key = params.get('private-key');
  if (key === undefined) return;
  const pem = keys?.get(key.toLowerCase());
  if (pem === undefined) throw new ProblemError('node.missing-field', 'the private key is not in the document');
  params.delete('private-key');
  params.set('private_key', pem);
}
