import { randomBytes, randomUUID } from 'node:crypto';

/** One node of the demo provider, in the three forms in which tests need it. */
export interface ProviderNode {
  tag: string;
  type: 'shadowsocks' | 'trojan' | 'vless';
  server_port: number;
  /** As the subscription lists it. */
  link: string;
  /** sing-box outbound that reaches it. */
  outbound: Record<string, unknown>;
}

export interface ProviderSecrets {
  /** Base64 of 16 bytes: the key of 2022-blake3-aes-128-gcm. */
  shadowsocks: string;
  trojan: string;
  vless: string;
}

export const providerHost = 'example.test';
const server = '127.0.0.1';
const method = '2022-blake3-aes-128-gcm';

export function createSecrets(): ProviderSecrets {
  return {
    shadowsocks: randomBytes(16).toString('base64'),
    trojan: randomBytes(12).toString('base64url'),
    vless: randomUUID(),
  };
}

/** What the provider's engine listens with; `ports` in the order shadowsocks, trojan, vless. */
export function providerConfig(
  secrets: ProviderSecrets,
  ports: readonly number[],
  files: { certificate: string; key: string },
): Record<string, unknown> {
  const tls = { enabled: true, server_name: providerHost, certificate_path: files.certificate, key_path: files.key };
  const inbounds = [
    { type: 'shadowsocks', method, password: secrets.shadowsocks },
    { type: 'trojan', users: [{ name: 'demo', password: secrets.trojan }], tls },
    { type: 'vless', users: [{ name: 'demo', uuid: secrets.vless }], tls },
  ];
  return {
    log: { level: 'info', timestamp: true },
    inbounds: inbounds.map((inbound, at) => ({
      tag: inbound.type,
      listen: server,
      listen_port: ports[at],
      ...inbound,
    })),
    outbounds: [{ type: 'direct', tag: 'direct' }],
  };
}

const tlsQuery = { security: 'tls', sni: providerHost, allowInsecure: '1', type: 'tcp' };

function link(scheme: string, user: string, port: number, query: Record<string, string>, name: string): string {
  const search = new URLSearchParams(query).toString();
  return `${scheme}://${user}@${server}:${port}${search === '' ? '' : `?${search}`}#${encodeURIComponent(name)}`;
}

/** Links and outbounds for what `providerConfig` listens with. */
export function providerNodes(secrets: ProviderSecrets, ports: readonly number[], suffix = ''): ProviderNode[] {
  const [shadowsocksPort = 0, trojanPort = 0, vlessPort = 0] = ports;
  const tls = { enabled: true, server_name: providerHost, insecure: true };
  // SIP022 keeps the user part of 2022 methods in plain text, percent-encoded.
  const shadowsocksUser = `${method}:${encodeURIComponent(secrets.shadowsocks)}`;
  const nodes = [
    {
      type: 'shadowsocks' as const,
      server_port: shadowsocksPort,
      tag: `Amsterdam 01${suffix}`,
      link: (tag: string) => link('ss', shadowsocksUser, shadowsocksPort, {}, tag),
      fields: { method, password: secrets.shadowsocks },
    },
    {
      type: 'trojan' as const,
      server_port: trojanPort,
      tag: `Frankfurt 02${suffix}`,
      link: (tag: string) => link('trojan', secrets.trojan, trojanPort, tlsQuery, tag),
      fields: { password: secrets.trojan, tls },
    },
    {
      type: 'vless' as const,
      server_port: vlessPort,
      tag: `Zürich 03${suffix}`,
      link: (tag: string) => link('vless', secrets.vless, vlessPort, { encryption: 'none', ...tlsQuery }, tag),
      fields: { uuid: secrets.vless, tls },
    },
  ];
  return nodes.map((node) => ({
    tag: node.tag,
    type: node.type,
    server_port: node.server_port,
    link: node.link(node.tag),
    outbound: { type: node.type, tag: node.tag, server, server_port: node.server_port, ...node.fields },
  }));
}

/** Lines that every parser must refuse while it keeps the others: a port that is no number, and no address at all. */
export const brokenLines = ['vless://not-a-uuid@127.0.0.1:port#Broken%20port', 'trojan://#No%20address'] as const;
