/** Fields, or values of fields, that came after 1.11. */
export interface NewFields {
  /** The first 1.x that knows them. */
  readonly since: 12 | 13 | 14;
  /** `refused`: the document would mean something else without it. `dropped`: it only tunes. */
  readonly effect: 'refused' | 'dropped';
  /** The objects that hold them: `inbounds[].tls`; empty for the document itself. */
  readonly at: string;
  readonly keys: readonly string[];
  /** Only in objects of these types. */
  readonly types?: readonly string[];
  /** Only these values are new. */
  readonly values?: readonly string[];
}

type Since = NewFields['since'];
type More = Pick<NewFields, 'types' | 'values'>;

const words = (text: string): string[] => text.split(' ');
const refused = (since: Since, at: string, keys: string, more: More = {}): NewFields => ({
  since,
  effect: 'refused',
  at,
  keys: words(keys),
  ...more,
});
const dropped = (since: Since, at: string, keys: string, more: More = {}): NewFields => ({
  ...refused(since, at, keys, more),
  effect: 'dropped',
});

const quicTypes = { types: ['hysteria', 'hysteria2', 'tuic'] };
const quicFields =
  'idle_timeout keep_alive_period stream_receive_window connection_receive_window max_concurrent_streams initial_packet_size disable_path_mtu_discovery';
const keepAlive = 'disable_tcp_keep_alive tcp_keep_alive tcp_keep_alive_interval';

/**
 * Found by asking sing-box 1.11.15, 1.12.23 and 1.13.21 about every field of the schema of 1.14.4. Nodes are not written
 * by this table: they have one of their own.
 */
export const newFields: readonly NewFields[] = [
  refused(12, '', 'certificate services'),
  refused(14, '', 'certificate_providers network_namespaces http_clients'),

  dropped(14, 'dns', 'optimistic timeout'),
  refused(12, 'dns.rules[]', 'ip_accept_any strategy'),
  refused(13, 'dns.rules[]', 'default_interface_address interface_address network_interface_address'),
  refused(14, 'dns.rules[]', 'match_response package_name_regex preferred_by query_client_subnet query_dnssec'),
  refused(14, 'dns.rules[]', 'response_answer response_extra response_ns response_rcode source_hostname'),
  refused(14, 'dns.rules[]', 'source_mac_address remove_client_subnet'),
  dropped(14, 'dns.rules[]', 'race speculative timeout disable_optimistic_cache'),
  refused(12, 'dns.rules[]', 'action', { values: ['predefined'] }),
  refused(14, 'dns.rules[]', 'action', { values: ['evaluate', 'respond'] }),
  refused(14, 'dns.servers[]', 'type', { values: ['mdns', 'openconnect', 'openvpn'] }),

  dropped(13, 'ntp', `bind_address_no_port ${keepAlive}`),
  refused(12, 'ntp', 'netns domain_resolver'),

  refused(13, 'route.rules[]', 'preferred_by default_interface_address interface_address network_interface_address'),
  refused(14, 'route.rules[]', 'package_name_regex source_hostname source_mac_address'),
  refused(12, 'route.rules[]', 'tls_fragment tls_record_fragment'),
  dropped(12, 'route.rules[]', 'tls_fragment_fallback_delay'),
  refused(14, 'route.rules[]', 'tls_spoof tls_spoof_method'),
  refused(13, 'route.rules[]', 'action', { values: ['bypass'] }),
  refused(13, 'route.rules[]', 'method', { values: ['reply'] }),
  dropped(14, 'route', 'find_neighbor dhcp_lease_files'),
  refused(13, 'route.rule_set[].rules[]', 'default_interface_address network_interface_address'),
  refused(14, 'route.rule_set[].rules[]', 'package_name_regex'),
  dropped(14, 'route.rule_set[]', 'initial_path'),

  refused(12, 'inbounds[]', 'type', { values: ['anytls'] }),
  refused(14, 'inbounds[]', 'type', { values: ['snell', 'cloudflared'] }),
  refused(12, 'inbounds[]', 'managed wildcard_sni netns bind_interface routing_mark'),
  dropped(12, 'inbounds[]', 'reuse_addr domain_resolver'),
  dropped(13, 'inbounds[]', 'disable_tcp_keep_alive quic_congestion_control'),
  dropped(14, 'inbounds[]', quicFields, quicTypes),
  dropped(14, 'inbounds[]', 'bbr_profile'),
  refused(14, 'inbounds[]', 'realm'),
  dropped(14, 'inbounds[]', 'udp_filtering udp_mapping udp_nat_max', { types: ['tproxy', 'tun'] }),
  refused(12, 'inbounds[]', 'loopback_address', { types: ['tun'] }),
  dropped(12, 'inbounds[]', 'auto_redirect_iproute2_fallback_rule_index', { types: ['tun'] }),
  dropped(13, 'inbounds[]', 'auto_redirect_nfqueue auto_redirect_reset_mark exclude_mptcp', { types: ['tun'] }),
  refused(14, 'inbounds[]', 'dns_address dns_mode include_mac_address exclude_mac_address netns', { types: ['tun'] }),
  refused(12, 'inbounds[].handshake', 'netns domain_resolver'),
  dropped(13, 'inbounds[].handshake', `bind_address_no_port ${keepAlive}`),
  refused(14, 'inbounds[].tls', 'certificate_provider'),
  refused(
    13,
    'inbounds[].tls',
    'client_authentication client_certificate client_certificate_path client_certificate_public_key_sha256',
  ),
  dropped(13, 'inbounds[].tls', 'curve_preferences kernel_rx kernel_tx'),
  dropped(14, 'inbounds[].tls', 'handshake_timeout'),

  refused(12, 'outbounds[]', 'type', { values: ['anytls'] }),
  refused(13, 'outbounds[]', 'type', { values: ['naive'] }),
  refused(14, 'outbounds[]', 'type', { values: ['snell', 'bridge'] }),
  refused(12, 'outbounds[]', 'netns'),
  refused(12, 'outbounds[]', 'server_ports hop_interval', { types: ['hysteria'] }),
  dropped(13, 'outbounds[]', `bind_address_no_port ${keepAlive}`),
  dropped(14, 'outbounds[]', quicFields, quicTypes),
  dropped(14, 'outbounds[]', 'bbr_profile disable_chrome_parrot hop_interval_max', { types: ['hysteria2'] }),
  refused(14, 'outbounds[]', 'realm', { types: ['hysteria2'] }),
  dropped(14, 'outbounds[]', 'cipher kex_algorithm mac', { types: ['ssh'] }),
  refused(12, 'outbounds[].tls', 'fragment record_fragment'),
  dropped(12, 'outbounds[].tls', 'fragment_fallback_delay'),
  refused(13, 'outbounds[].tls', 'certificate_public_key_sha256 client_certificate client_certificate_path'),
  refused(13, 'outbounds[].tls', 'client_key client_key_path'),
  dropped(13, 'outbounds[].tls', 'curve_preferences kernel_rx kernel_tx'),
  refused(13, 'outbounds[].tls.ech', 'query_server_name'),
  refused(14, 'outbounds[].tls', 'engine spoof spoof_method'),
  dropped(14, 'outbounds[].tls', 'handshake_timeout'),

  refused(12, 'endpoints[]', 'type', { values: ['tailscale'] }),
  refused(14, 'endpoints[]', 'type', { values: ['openconnect', 'openvpn-client', 'openvpn-server'] }),
  refused(12, 'endpoints[]', 'netns'),
  dropped(13, 'endpoints[]', `bind_address_no_port ${keepAlive}`),
  dropped(14, 'endpoints[]', 'udp_filtering udp_mapping udp_nat_max', { types: ['wireguard'] }),

  refused(13, 'services[]', 'type', { values: ['ccm', 'ocm', 'oom-killer'] }),
  refused(14, 'services[]', 'type', { values: ['api', 'hysteria-realm', 'usbip-client', 'usbip-server'] }),
  dropped(13, 'services[]', 'disable_tcp_keep_alive'),
  refused(14, 'services[].tls', 'certificate_provider'),
  dropped(13, 'services[].tls', 'curve_preferences kernel_rx kernel_tx'),
  dropped(14, 'services[].tls', 'handshake_timeout'),
];
