import type { NodeType } from '../node.ts';
import { spellings, type Params, type Spellings } from '../params.ts';
import { readAnytls } from '../protocols/anytls.ts';
import type { ReadNode } from '../protocols/common.ts';
import { readHttp } from '../protocols/http.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { readShadowsocks } from '../protocols/shadowsocks.ts';
import { readSocks } from '../protocols/socks.ts';
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

const ss: ClashType = {
  type: 'shadowsocks',
  names: spellings({ ...stream, method: ['cipher'], uot: ['udp-over-tcp'], uot_version: ['udp-over-tcp-version'] }),
  read: readShadowsocks,
};
const hysteria2: ClashType = {
  type: 'hysteria2',
  names: spellings({ ...stream, password: ['auth'], mport: ['ports'] }),
  read: readHysteria2,
  isAlwaysTls: true,
};
const socks: ClashType = { type: 'socks', names: common, read: readSocks };

export const clashTypes: ReadonlyMap<string, ClashType> = new Map<string, ClashType>([
  ['ss', ss],
  ['shadowsocks', ss],
  ['vmess', { type: 'vmess', names: spellings({ ...stream, scy: ['cipher'], aid: ['alterid'] }), read: readVmess }],
  ['vless', { type: 'vless', names: common, read: readVless }],
  ['trojan', { type: 'trojan', names: common, read: readTrojan, isAlwaysTls: true }],
  ['hysteria2', hysteria2],
  ['hy2', hysteria2],
  [
    'tuic',
    {
      type: 'tuic',
      names: spellings({
        ...stream,
        congestion_control: ['congestion-controller'],
        udp_relay_mode: ['udp-relay-mode'],
        udp_over_stream: ['udp-over-stream'],
        reduce_rtt: ['reduce-rtt'],
        heartbeat: ['heartbeat-interval'],
      }),
      read: readTuic,
      isAlwaysTls: true,
    },
  ],
  [
    'wireguard',
    {
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
    },
  ],
  ['anytls', { type: 'anytls', names: common, read: readAnytls, isAlwaysTls: true }],
  ['socks5', socks],
  ['socks', socks],
  ['http', { type: 'http', names: common, read: readHttp }],
]);

/** Policies and not proxies: they are skipped, not rejected. */
export const clashNotNodes: ReadonlySet<string> = new Set(['direct', 'reject', 'dns', 'pass', 'compatible']);

/** mihomo writes one address of each family under keys of their own. */
function joinAddresses(params: Params): void {
  const address = [params.get('ip'), params.get('ipv6')].filter((item) => item !== undefined && item !== '').join(',');
  params.delete('ip');
  params.delete('ipv6');
  if (address !== '') params.set('address', address);
}
