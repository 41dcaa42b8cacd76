import type { Json } from '@sbox/engines/sing-box/render';

/** A small config with something of everything that explanations talk about. */
export const routedConfig: Json = {
  dns: { servers: [{ type: 'local', tag: 'local' }] },
  inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 2080 }],
  outbounds: [
    { type: 'selector', tag: 'select', outbounds: ['auto', 'de 1', 'nl 1', 'direct'], default: 'auto' },
    { type: 'urltest', tag: 'auto', outbounds: ['de 1', 'nl 1'] },
    { type: 'trojan', tag: 'de 1', server: '192.0.2.1', server_port: 443, password: 'p', tls: { enabled: true } },
    { type: 'trojan', tag: 'nl 1', server: '192.0.2.2', server_port: 443, password: 'p', tls: { enabled: true } },
    { type: 'direct', tag: 'direct' },
  ],
  route: {
    rules: [
      { action: 'sniff' },
      { protocol: 'dns', action: 'hijack-dns' },
      { rule_set: 'ads', action: 'reject' },
      { ip_is_private: true, outbound: 'direct' },
      { domain_suffix: ['.internal', 'example.org'], outbound: 'direct' },
      { domain_regex: '(?i)^DE\\d+\\.', outbound: 'de 1' },
      { source_ip_cidr: '192.168.7.0/24', port: 8080, outbound: 'nl 1' },
    ],
    rule_set: [{ type: 'inline', tag: 'ads', rules: [{ domain_keyword: ['tracker'] }] }],
    final: 'select',
    default_domain_resolver: 'local',
  },
};
