import type { ParamValues } from './read-params.ts';

export interface TemplateExample {
  readonly title: string;
  readonly params: ParamValues;
}

const certificate = { certificate_path: '/etc/ssl/example.pem', key_path: '/etc/ssl/example.key' };
const users = [
  { name: 'anna', uuid: '2dd61d93-75d8-4da4-ac0e-6aece7eac365', password: 'a long password of anna' },
  { name: 'boris', uuid: '7a1f3a5e-9b0c-4f2d-8e6a-3c5d7e9f1b2d', password: 'a long password of boris' },
];

/** Settings of the ready templates, for the documentation; tests render all of them for all engines. */
export const templateExamples: Readonly<Record<string, readonly TemplateExample[]>> = {
  mixed: [
    { title: 'Another port, for the whole network', params: { listen: '0.0.0.0', port: 2080 } },
    {
      title: 'A slower check of the nodes against a server of your own',
      params: { urltest_url: 'https://origin.example/204', urltest_interval: '1h', urltest_tolerance: 200 },
    },
    { title: 'Some domains without a node', params: { direct_domains: ['example.org', 'bank.example'] } },
  ],
  'tun-gateway': [
    {
      title: 'A Linux router, with a port for proxies beside the interface',
      params: { inbound: 'both', listen: '0.0.0.0', auto_redirect: true, tun_exclude: ['192.168.100.0/24'] },
    },
    { title: 'Made-up addresses, for the fastest start of connections', params: { fakeip: true, tun_stack: 'system' } },
    { title: 'With the rules of a region', params: { regions: ['ru'], dns_split: true, block_ads: true } },
  ],
  'dns-split': [
    { title: 'A public DNS server nearby', params: { dns_direct_type: 'udp', dns_direct_server: '223.5.5.5' } },
    {
      title: 'Only what is blocked through the nodes',
      params: { mode: 'blocked-only', proxy_domains: ['example.com'], dns_strategy: 'prefer_ipv4' },
    },
  ],
  'rule-routing': [
    { title: 'Iran', params: { regions: ['ir'] } },
    { title: 'China, as a gateway', params: { regions: ['cn'], inbound: 'tun' } },
    {
      title: 'Russia, only what is blocked there, with a site of your own',
      params: { mode: 'blocked-only', proxy_domains: ['example.com'], rule_sets_through: 'direct' },
    },
    { title: 'Two countries', params: { regions: ['ru', 'cn'] } },
  ],
  adblock: [
    { title: 'Domains of your own', params: { block_domains: ['tracker.example'] } },
    { title: 'On a gateway, with the rules of a region', params: { inbound: 'tun', regions: ['ru'] } },
  ],
  server: [
    {
      title: 'Trojan and Hysteria2 on one port number',
      params: { trojan_port: 443, hysteria2_port: 443, users, ...certificate },
    },
    {
      title: 'Shadowsocks',
      params: { shadowsocks_port: 8388, shadowsocks_password: 'bm90IGEgcGFzc3dvcmQhIQ==' },
    },
    {
      title: 'VLESS, VMess over WebSocket, and TUIC',
      params: {
        vless_port: 443,
        vless_flow: 'xtls-rprx-vision',
        vmess_port: 8080,
        vmess_path: '/chat',
        tuic_port: 8443,
        users,
        ...certificate,
      },
    },
    {
      title: 'A relay: in by VMess, out through the nodes',
      params: { vmess_port: 8080, users, exit: 'nodes', block_bittorrent: true },
    },
  ],
};
