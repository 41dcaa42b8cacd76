import type { NodeType } from '../node.ts';
import { spellings, type Spellings } from '../params.ts';
import { readAnytls } from '../protocols/anytls.ts';
import type { ReadNode } from '../protocols/common.ts';
import { readHttp } from '../protocols/http.ts';
import { readHysteria } from '../protocols/hysteria.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { readKept } from '../protocols/kept.ts';
import { readShadowsocks } from '../protocols/shadowsocks.ts';
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
 * What Surge, Loon and Quantumult X call our settings; their words do not contradict each other.
 * @see https://manual.nssurge.com/policy/proxy.html
 * @see https://nsloon.app/docs/Node/
 */
const line = {
  security: ['tls', 'over-tls'],
  sni: ['tls-name', 'tls-host'],
  insecure: ['skip-cert-verify'],
  alpn: ['tls-alpn'],
  fp: ['tls-profile', 'client-fingerprint'],
  pbk: ['public-key', 'reality-base64-pubkey'],
  sid: ['short-id', 'reality-hex-shortid'],
  flow: ['vless-flow'],
  type: ['transport'],
  path: ['ws-path'],
  serviceName: ['grpc-service-name'],
  tfo: ['fast-open'],
  udp: ['udp-relay'],
  uot: ['udp-over-tcp'],
  uot_version: ['udp-over-tcp-version'],
  mport: ['port-hopping', 'server-ports'],
  'hop-interval': ['port-hopping-interval'],
  up: ['upload-bandwidth'],
  down: ['download-bandwidth'],
  'shadow-tls.host': ['shadow-tls-sni'],
  'shadow-tls.password': ['shadow-tls-password'],
  'shadow-tls.version': ['shadow-tls-version'],
} as const;

/** A type of line: who reads it, and what its values without a key are. */
export interface LineType {
  readonly type: NodeType;
  readonly read: ReadNode;
  readonly names: Spellings;
  readonly plain: readonly string[];
  readonly isAlwaysTls?: boolean;
}

type Names = Readonly<Record<string, readonly string[]>>;

function lineType(type: NodeType, read: ReadNode, plain: readonly string[] = [], names: Names = {}): LineType {
  return { type, read, plain, names: spellings({ ...line, ...names }) };
}

const method = { method: ['encrypt-method'] };
const ss = lineType('shadowsocks', readShadowsocks, ['method', 'password'], { ...method, obfs: ['obfs-name'] });
const ssr = lineType('shadowsocksr', readShadowsocksR, ['method', 'password'], {
  ...method,
  protocol: ['ssr-protocol'],
  'protocol-param': ['ssr-protocol-param'],
});
const login = ['username', 'password'];
const http = lineType('http', readHttp, login);
const socks = lineType('socks', readSocks, login);
const tuic = lineType('tuic', readTuic, [], {
  congestion_control: ['congestion-controller', 'congestion-control'],
  udp_relay_mode: ['udp-relay-mode'],
  reduce_rtt: ['reduce-rtt'],
});
const always = (type: LineType): LineType => ({ ...type, isAlwaysTls: true });

export const lineTypes: ReadonlyMap<string, LineType> = new Map<string, LineType>([
  ['ss', ss],
  ['shadowsocks', ss],
  ['custom', ss],
  ['shadowsocksr', ssr],
  ['ssr', ssr],
  [
    'vmess',
    lineType('vmess', readVmess, ['scy', 'uuid'], {
      scy: ['encrypt-method', 'method'],
      uuid: ['username', 'password'],
      aid: ['alterid', 'alter-id'],
    }),
  ],
  ['vless', lineType('vless', readVless, ['uuid'], { uuid: ['username', 'password'], encryption: ['method'] })],
  ['trojan', lineType('trojan', readTrojan, ['password'])],
  ['http', http],
  ['https', always(http)],
  ['socks5', socks],
  ['socks5-tls', always(socks)],
  ['snell', lineType('snell', readSnell)],
  ['tuic', tuic],
  ['tuic-v5', tuic],
  ['hysteria', lineType('hysteria', readHysteria, ['auth_str'], { auth_str: ['password', 'auth'] })],
  ['hysteria2', lineType('hysteria2', readHysteria2, ['password'])],
  ['anytls', lineType('anytls', readAnytls, ['password'])],
  ['ssh', lineType('ssh', readSsh, login)],
  ['wireguard', lineType('wireguard', readWireguard, [], wireguardNames())],
  ['trust-tunnel', lineType('trusttunnel', readKept('trusttunnel'), login)],
  ['h2-connect', lineType('h2-connect', readKept('h2-connect'), login)],
]);

/** Lines that are no nodes: they are skipped, not rejected. */
export const lineNotNodes: ReadonlySet<string> = new Set(
  'direct reject reject-drop reject-no-drop reject-tinygif reject-img reject-dict reject-array'.split(' '),
);

function wireguardNames(): Names {
  return {
    private_key: ['private-key'],
    public_key: ['public-key'],
    pre_shared_key: ['preshared-key', 'pre-shared-key'],
    allowed_ips: ['allowed-ips'],
    reserved: ['client-id'],
    pbk: [],
    // Named so that they count in any mix of cases, as all others do.
    'interface-ip': [],
    'interface-ipv6': [],
    'self-ip': [],
    'self-ip-v6': [],
    'section-name': [],
    keepalive: [],
    peer: [],
    peers: [],
  };
}
