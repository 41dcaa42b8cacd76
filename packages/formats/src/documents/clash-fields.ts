import { ProblemError } from '@sbox/core';
import type { NodeType } from '../node.ts';
import { spellings, takeFlag, takeText, type Params, type Spellings } from '../params.ts';
import { readAnytls } from '../protocols/anytls.ts';
import type { ReadNode } from '../protocols/common.ts';
import { readHttp } from '../protocols/http.ts';
import { readHysteria } from '../protocols/hysteria.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { readJuicity } from '../protocols/juicity.ts';
import { readKept, type KeptType } from '../protocols/kept.ts';
import { readMieru } from '../protocols/mieru.ts';
import { readNaive } from '../protocols/naive.ts';
import { pluginOptions, readShadowsocks } from '../protocols/shadowsocks.ts';
import { readShadowsocksR } from '../protocols/shadowsocksr.ts';
import { readSnell } from '../protocols/snell.ts';
import { readSocks } from '../protocols/socks.ts';
import { readSsh } from '../protocols/ssh.ts';
import { readTrojan } from '../protocols/trojan.ts';
import { readTuic } from '../protocols/tuic.ts';
import { readVless } from '../protocols/vless.ts';
import { readVmess } from '../protocols/vmess.ts';
import { readWireguard } from '../protocols/wireguard.ts';

/**
 * What Clash and mihomo call our settings; nested maps are written with dots.
 * @see https://wiki.metacubex.one/en/config/proxies/
 */
const stream = {
  security: ['tls'],
  sni: ['servername'],
  insecure: ['skip-cert-verify'],
  disable_sni: ['disable-sni'],
  fp: ['client-fingerprint'],
  pbk: ['reality-opts.public-key'],
  sid: ['reality-opts.short-id'],
  ech: ['ech-opts.config'],
  ech_query_name: ['ech-opts.query-server-name'],
  type: ['network'],
  path: ['ws-opts.path', 'ws-path', 'http-opts.path', 'h2-opts.path', 'xhttp-opts.path'],
  host: ['ws-opts.headers.host', 'ws-headers.host', 'http-opts.headers.host', 'h2-opts.host', 'xhttp-opts.host'],
  method: ['http-opts.method'],
  mode: ['xhttp-opts.mode'],
  serviceName: ['grpc-opts.grpc-service-name'],
  ed: ['ws-opts.max-early-data'],
  eh: ['ws-opts.early-data-header-name'],
  packetEncoding: ['packet-encoding'],
} as const;

const common = spellings(stream);

/** One type of Clash proxy: how its keys are named and who reads it. */
export interface ClashType {
  readonly type: NodeType;
  readonly names: Spellings;
  readonly read: ReadNode;
  /** The protocol is always inside TLS, whatever `tls` says. */
  readonly isAlwaysTls?: boolean;
  /** Straightens what is more than another name. */
  readonly prepare?: (params: Params) => void;
}

type Names = Readonly<Record<string, readonly string[]>>;

const withStream = (names: Names): Spellings => spellings({ ...stream, ...names });

const ss: ClashType = {
  type: 'shadowsocks',
  names: withStream({ method: ['cipher'], uot: ['udp-over-tcp'], uot_version: ['udp-over-tcp-version'] }),
  read: readShadowsocks,
  prepare: setOldObfs,
};
const ssr: ClashType = {
  type: 'shadowsocksr',
  names: spellings({
    method: ['cipher'],
    'protocol-param': ['protocolparam', 'protocol_param'],
    'obfs-param': ['obfsparam', 'obfs_param'],
  }),
  read: readShadowsocksR,
};
const vmess: ClashType = {
  type: 'vmess',
  names: withStream({ scy: ['cipher'], aid: ['alterid'] }),
  read: readVmess,
  prepare: (params) => {
    setPacketEncoding(params);
    setOldWebSocket(params);
  },
};
const vless: ClashType = { type: 'vless', names: common, read: readVless, prepare: setPacketEncoding };
const hysteria: ClashType = {
  type: 'hysteria',
  names: withStream({
    auth_str: ['auth-str'],
    // What Clash calls obfuscation here is its password; the method has no name.
    'obfs-password': ['obfs'],
    mport: ['ports'],
    up: ['up-mbps', 'up_mbps'],
    down: ['down-mbps', 'down_mbps'],
    'recv-window-conn': ['recv_window_conn'],
    'recv-window': ['recv_window'],
    'disable-mtu-discovery': ['disable_mtu_discovery'],
  }),
  read: readHysteria,
  isAlwaysTls: true,
  prepare: setPortRanges,
};
const hysteria2: ClashType = {
  type: 'hysteria2',
  names: withStream({
    password: ['auth'],
    mport: ['ports'],
    'realm-server-url': ['realm-opts.server-url'],
    'realm-token': ['realm-opts.token'],
    'realm-id': ['realm-opts.realm-id'],
    stun: ['realm-opts.stun-servers'],
  }),
  read: readHysteria2,
  isAlwaysTls: true,
  prepare: (params) => {
    setPortRanges(params);
    const isRealm = takeFlag(params, 'realm-opts.enable');
    if (isRealm === false)
      for (const key of ['realm-server-url', 'realm-token', 'realm-id', 'stun']) params.delete(key);
  },
};
const tuic: ClashType = {
  type: 'tuic',
  names: withStream({
    congestion_control: ['congestion-controller'],
    udp_relay_mode: ['udp-relay-mode'],
    udp_over_stream: ['udp-over-stream'],
    reduce_rtt: ['reduce-rtt'],
    heartbeat: ['heartbeat-interval'],
  }),
  read: readTuic,
  isAlwaysTls: true,
};
const wireguard: ClashType = {
  type: 'wireguard',
  names: spellings({
    private_key: ['private-key'],
    public_key: ['public-key'],
    pre_shared_key: ['pre-shared-key', 'preshared-key'],
    allowed_ips: ['allowed-ips'],
    keepalive: ['persistent-keepalive'],
  }),
  read: readWireguard,
  prepare: joinAddresses,
};
const snell: ClashType = {
  type: 'snell',
  names: withStream({ obfs: ['obfs-opts.mode'], 'obfs-host': ['obfs-opts.host'] }),
  read: readSnell,
};
const mieru: ClashType = {
  type: 'mieru',
  names: spellings({ protocol: ['transport'], mport: ['port-range', 'ports'] }),
  read: readMieru,
};
const ssh: ClashType = {
  type: 'ssh',
  names: spellings({
    private_key: ['private-key'],
    private_key_passphrase: ['private-key-passphrase'],
    host_key: ['host-key'],
    host_key_algorithms: ['host-key-algorithms'],
  }),
  read: readSsh,
  prepare: keepKeyPath,
};
const juicity: ClashType = {
  type: 'juicity',
  names: withStream({
    congestion_control: ['congestion-controller', 'congestion-control'],
    pin_cert_sha256: ['pinned-certchain-sha256', 'pinned_certchain_sha256'],
  }),
  read: readJuicity,
  isAlwaysTls: true,
};
const naive: ClashType = {
  type: 'naive',
  names: withStream({ uot: ['udp-over-tcp'], uot_version: ['udp-over-tcp-version'] }),
  read: readNaive,
  isAlwaysTls: true,
};
const anytls: ClashType = { type: 'anytls', names: common, read: readAnytls, isAlwaysTls: true };
const trojan: ClashType = { type: 'trojan', names: common, read: readTrojan, isAlwaysTls: true };
const socks: ClashType = { type: 'socks', names: common, read: readSocks };
const http: ClashType = { type: 'http', names: common, read: readHttp };

const kept = (type: KeptType, names: Spellings = common): ClashType => ({ type, names, read: readKept(type) });
/** These two have addresses and keys of their own that mean nothing to anybody else. */
const bare = spellings({});

export const clashTypes: ReadonlyMap<string, ClashType> = new Map<string, ClashType>([
  ['ss', ss],
  ['shadowsocks', ss],
  ['ssr', ssr],
  ['shadowsocksr', ssr],
  ['vmess', vmess],
  ['vless', vless],
  ['trojan', trojan],
  ['hysteria', hysteria],
  ['hysteria2', hysteria2],
  ['hy2', hysteria2],
  ['tuic', tuic],
  ['wireguard', wireguard],
  ['anytls', anytls],
  ['socks5', socks],
  ['socks', socks],
  ['http', http],
  ['https', http],
  ['snell', snell],
  ['mieru', mieru],
  ['ssh', ssh],
  ['juicity', juicity],
  ['naive', naive],
  ['trusttunnel', kept('trusttunnel')],
  ['h2-connect', kept('h2-connect')],
  ['masque', kept('masque', bare)],
  ['sudoku', kept('sudoku', bare)],
  ['tailscale', { ...kept('tailscale', bare), prepare: setControlServer }],
  ['gost-relay', kept('gost-relay')],
]);

/** Policies and not proxies: they are skipped, not rejected. */
export const clashNotNodes: ReadonlySet<string> = new Set([
  'direct',
  'reject',
  'reject-drop',
  'dns',
  'pass',
  'compatible',
]);

/** mihomo writes one address of each family under keys of their own. */
function joinAddresses(params: Params): void {
  const address = [params.get('ip'), params.get('ipv6')].filter((item) => item !== undefined && item !== '').join(',');
  params.delete('ip');
  params.delete('ipv6');
  if (address !== '') params.set('address', address);
}

/** Clash's first way to name the only plugin there was. */
function setOldObfs(params: Params): void {
  const mode = params.get('obfs');
  if (params.get('plugin') || (mode !== 'http' && mode !== 'tls')) return;
  params.delete('obfs');
  const host = takeText(params, 'obfs-host');
  params.set('plugin', 'obfs-local');
  params.set(
    'plugin_opts',
    pluginOptions([['obfs', mode], ...(host === undefined ? [] : [['obfs-host', host] as const])]),
  );
}

/** Clash's first way to name the only transport there was. */
function setOldWebSocket(params: Params): void {
  if (params.get('obfs')?.toLowerCase() !== 'websocket' || params.get('type')) return;
  params.delete('obfs');
  params.set('type', 'ws');
  for (const name of ['path', 'host']) {
    const value = takeText(params, `obfs-${name}`);
    if (value !== undefined && !params.get(name)) params.set(name, value);
  }
}

/** mihomo cuts its lists of ports at `/` as well as at commas. */
function setPortRanges(params: Params): void {
  const ports = params.get('mport');
  if (ports !== undefined) params.set('mport', ports.replaceAll('/', ','));
}

/** The older way to say how UDP is packed: one flag for each way. */
function setPacketEncoding(params: Params): void {
  const isXudp = takeFlag(params, 'xudp') === true;
  const isPacketAddr = takeFlag(params, 'packet-addr') === true;
  if (params.get('packetEncoding') || !(isXudp || isPacketAddr)) return;
  params.set('packetEncoding', isXudp ? 'xudp' : 'packetaddr');
}

/** The key itself, or the name of a file on the machine that the document was written for. */
function keepKeyPath(params: Params): void {
  const key = params.get('private_key') ?? '';
  if (key === '' || key.includes('PRIVATE KEY')) return;
  if (!params.get('password'))
    throw new ProblemError('node.missing-field', 'the private key is in a file of another machine');
  params.delete('private_key');
  params.set('private-key', key);
}

/** A tailnet has no server of its own but the one that coordinates it. */
function setControlServer(params: Params): void {
  const url = takeText(params, 'control-url') ?? 'https://controlplane.tailscale.com';
  params.set('control-url', url);
  const { hostname, port } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '' };
  if (!params.get('server')) params.set('server', hostname);
  if (!params.get('port')) params.set('port', port || '443');
}
