import { spellings } from '../params.ts';
import type { ReadNode } from '../protocols/common.ts';
import { readHttp } from '../protocols/http.ts';
import { readHysteria2 } from '../protocols/hysteria2.ts';
import { readShadowsocks } from '../protocols/shadowsocks.ts';
import { readSocks } from '../protocols/socks.ts';
import { readTrojan } from '../protocols/trojan.ts';
import { readVless } from '../protocols/vless.ts';
import { readVmess } from '../protocols/vmess.ts';
import { readWireguard } from '../protocols/wireguard.ts';

const request = ['tcpSettings.header.request', 'rawSettings.header.request'] as const;
const inRequest = (name: string): readonly string[] => request.map((path) => `${path}.${name}`);

/**
 * What Xray calls our settings; those of `streamSettings` are written with dots.
 * @see https://xtls.github.io/en/config/transport.html
 */
export const xrayNames = spellings({
  type: ['network'],
  sni: ['tlsSettings.serverName', 'realitySettings.serverName', 'xtlsSettings.serverName'],
  insecure: ['tlsSettings.allowInsecure', 'xtlsSettings.allowInsecure'],
  alpn: ['tlsSettings.alpn', 'xtlsSettings.alpn'],
  fp: ['tlsSettings.fingerprint', 'realitySettings.fingerprint'],
  pbk: ['realitySettings.publicKey', 'realitySettings.password'],
  sid: ['realitySettings.shortId'],
  spx: ['realitySettings.spiderX'],
  pqv: ['realitySettings.mldsa65Verify'],
  pcs: ['tlsSettings.pinnedPeerCertSha256'],
  vcn: ['tlsSettings.verifyPeerCertByName'],
  ech: ['tlsSettings.echConfigList'],
  host: [
    'wsSettings.host',
    'wsSettings.headers.Host',
    'httpupgradeSettings.host',
    'xhttpSettings.host',
    'splithttpSettings.host',
    'httpSettings.host',
    ...inRequest('headers.Host'),
  ],
  path: [
    'wsSettings.path',
    'httpupgradeSettings.path',
    'xhttpSettings.path',
    'splithttpSettings.path',
    'httpSettings.path',
    ...inRequest('path'),
  ],
  method: ['httpSettings.method', ...inRequest('method')],
  mode: ['xhttpSettings.mode', 'splithttpSettings.mode'],
  serviceName: ['grpcSettings.serviceName'],
  authority: ['grpcSettings.authority'],
  headerType: [
    'tcpSettings.header.type',
    'rawSettings.header.type',
    'kcpSettings.header.type',
    'quicSettings.header.type',
  ],
  seed: ['kcpSettings.seed'],
  mtu: ['kcpSettings.mtu'],
  tti: ['kcpSettings.tti'],
  quicSecurity: ['quicSettings.security'],
  key: ['quicSettings.key'],
  ed: ['wsSettings.maxEarlyData'],
  eh: ['wsSettings.earlyDataHeaderName'],
  tfo: ['sockopt.tcpFastOpen'],
  mptcp: ['sockopt.tcpMptcp'],
});

/** Headers of the transports, whose names follow. */
export const xrayHeaders =
  /^(?:wsSettings|httpSettings|httpupgradeSettings|xhttpSettings|(?:tcp|raw)Settings\.header\.request)\.headers\.(.+)$/;

/** A kind of outbound: how it names its server and user, and who reads it. */
export interface XrayProtocol {
  readonly names: Readonly<Record<string, string>>;
  readonly read: ReadNode;
}

const login = { user: 'username', pass: 'password' };

export const xrayProtocols: ReadonlyMap<string, XrayProtocol> = new Map<string, XrayProtocol>([
  ['vmess', { names: { id: 'uuid', alterId: 'aid', security: 'scy' }, read: readVmess }],
  ['vless', { names: { id: 'uuid' }, read: readVless }],
  ['trojan', { names: {}, read: readTrojan }],
  ['shadowsocks', { names: { UoTVersion: 'uot_version' }, read: readShadowsocks }],
  ['socks', { names: login, read: readSocks }],
  ['http', { names: login, read: readHttp }],
  [
    'wireguard',
    {
      names: {
        secretKey: 'private_key',
        publicKey: 'public_key',
        preSharedKey: 'pre_shared_key',
        allowedIPs: 'allowed_ips',
        keepAlive: 'keepalive',
      },
      read: readWireguard,
    },
  ],
  ['hysteria', { names: {}, read: readHysteria2 }],
]);

/** Outbounds that are no proxies, and what they are to somebody who dials through them. */
export const xrayNotNodes: ReadonlyMap<string, string> = new Map([
  ['freedom', 'a direct outbound'],
  ['blackhole', 'an outbound that blocks'],
  ['dns', 'the DNS outbound'],
  ['loopback', 'a loop back into the engine'],
]);
