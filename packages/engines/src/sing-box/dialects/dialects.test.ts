import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { dialectRows, lowerDialect } from './dialects.ts';
import type { Json } from '../document.ts';

const lower = (config: Json, minor: number) => lowerDialect(structuredClone(config), { minor, tags: new Set() });
const refusal = (config: Json, minor: number): string => {
  try {
    lower(config, minor);
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'template.unsupported') return error.message;
    throw error;
  }
  return '';
};

test('the newest dialect is left alone by the newest engine', () => {
  const config = {
    dns: { servers: [{ type: 'hosts' }], rules: [{ action: 'evaluate', server: 'a' }] },
    http_clients: [{ tag: 'a' }],
    experimental: { cache_file: { store_dns: true } },
  };
  expect(lower(config, 14)).toEqual({ config, warnings: [] });
});

test('rows go from the newest dialect down', () => {
  const versions = dialectRows.slice(0, -1).map(({ since }) => since);
  expect(versions).toEqual(versions.toSorted((one, other) => other - one));
});

describe('to 1.13', () => {
  test('a rule-set names the outbound that fetches it', () => {
    const config = {
      http_clients: [{ tag: 'near' }, { tag: 'far', detour: 'select', version: 2 }],
      outbounds: [{ $nodes: true }],
      route: {
        default_http_client: 'far',
        rule_set: [
          { type: 'remote', tag: 'a', url: 'https://rules.test/a.srs' },
          { type: 'remote', tag: ['b', 'c'], url: 'https://rules.test/{tag}.srs', http_client: 'near' },
          { type: 'remote', tag: 'd', url: 'https://rules.test/d.srs', http_client: { detour: 'own' } },
          { type: 'local', tag: 'e', path: 'e.srs' },
        ],
      },
    };
    const { config: lowered, warnings } = lower(config, 13);
    expect(lowered).toEqual({
      outbounds: [{ $nodes: true }, { type: 'direct', tag: 'direct' }],
      route: {
        rule_set: [
          { type: 'remote', tag: 'a', url: 'https://rules.test/a.srs', download_detour: 'select' },
          { type: 'remote', tag: 'b', url: 'https://rules.test/b.srs', download_detour: 'direct' },
          { type: 'remote', tag: 'c', url: 'https://rules.test/c.srs', download_detour: 'direct' },
          { type: 'remote', tag: 'd', url: 'https://rules.test/d.srs', download_detour: 'own' },
          { type: 'local', tag: 'e', path: 'e.srs' },
        ],
      },
    });
    expect(warnings.map(({ code, path }) => [code, path])).toEqual([
      ['dialect.lowered', 'route.rule_set[0].http_client.version'],
    ]);
    const missing = { route: { rule_set: [{ type: 'remote', tag: 'a', url: 'x', http_client: 'nobody' }] } };
    expect(refusal(missing, 13)).toBe('route.rule_set[0].http_client: there is no HTTP client "nobody"');
  });

  test('evaluate and respond become an address filter, and nothing else does', () => {
    const asked = { domain_suffix: ['test'], action: 'evaluate', server: 'a' };
    const answered = { match_response: true, ip_cidr: ['10.0.0.0/8'], action: 'respond' };
    expect(lower({ dns: { rules: [asked, answered, { server: 'b' }] } }, 13).config).toEqual({
      dns: {
        rules: [{ domain_suffix: ['test'], server: 'a', ip_cidr: ['10.0.0.0/8'], action: 'route' }, { server: 'b' }],
      },
    });
    for (const rules of [
      [asked],
      [asked, { ...answered, action: 'route', server: 'b' }],
      [asked, { ...answered, response_rcode: 'NXDOMAIN' }],
      [asked, { ...answered, domain: ['x'] }],
      [{ ...asked, rule_set: ['s'] }, answered],
    ]) {
      expect(refusal({ dns: { rules } }, 13)).toMatch(/^dns\.rules\[0\]: before sing-box 1\.14/);
    }
    expect(refusal({ dns: { rules: [answered] } }, 13)).toMatch(/^dns\.rules\[0\]\./);
  });

  test('ACME is inline again, other providers are refused', () => {
    const provider = { type: 'acme', tag: 'p', domain: ['a.test'], email: 'me@a.test', key_type: 'p256' };
    const used = (certificate_provider: unknown): Json => ({
      certificate_providers: [provider, { type: 'tailscale', tag: 't', endpoint: 'x' }],
      inbounds: [{ type: 'trojan', tls: { enabled: true, certificate_provider } }],
    });
    const { config, warnings } = lower(used('p'), 13);
    expect(config).toEqual({
      inbounds: [{ type: 'trojan', tls: { enabled: true, acme: { domain: ['a.test'], email: 'me@a.test' } } }],
    });
    expect(warnings.map(({ path }) => path)).toEqual(['inbounds[0].tls.certificate_provider.key_type']);
    expect(lower(used({ type: 'acme', domain: ['b.test'] }), 13).config).toMatchObject({
      inbounds: [{ tls: { acme: { domain: ['b.test'] } } }],
    });
    for (const [wrong, words] of [
      ['t', 'providers other than acme'],
      ['nobody', 'there is no provider "nobody"'],
    ] as const)
      expect(refusal(used(wrong), 13)).toContain(words);
  });

  test('what only tunes is left off with a warning, what decides is refused', () => {
    const config = {
      inbounds: [{ type: 'trojan', tls: { handshake_timeout: '5s' } }],
      experimental: { cache_file: { enabled: true, store_dns: true } },
    };
    const { config: lowered, warnings } = lower(config, 13);
    expect(lowered).toEqual({
      inbounds: [{ type: 'trojan', tls: {} }],
      experimental: { cache_file: { enabled: true, store_rdrc: true } },
    });
    expect(warnings).toEqual([
      expect.objectContaining({ path: 'experimental.cache_file.store_dns' }),
      {
        code: 'dialect.lowered',
        path: 'inbounds[0].tls.handshake_timeout',
        message: 'handshake_timeout needs sing-box 1.14 or newer; it is left off',
      },
    ]);
    const nested = { route: { rules: [{ type: 'logical', rules: [{ source_hostname: ['x'] }] }] } };
    expect(refusal(nested, 13)).toBe(
      'route.rules[0].rules[0].source_hostname: source_hostname needs sing-box 1.14 or newer',
    );
    expect(refusal({ inbounds: [{ type: 'snell' }] }, 13)).toBe(
      'inbounds[0].type: type "snell" needs sing-box 1.14 or newer',
    );
  });
});

test('a long document does not give a warning for each line', () => {
  const outbounds = Array.from({ length: 300 }, () => ({ type: 'vless', tcp_keep_alive: '5m' }));
  const { config, warnings } = lower({ outbounds }, 12);
  expect(config['outbounds']).toEqual(outbounds.map(({ type }) => ({ type })));
  expect(warnings).toHaveLength(201);
  expect(warnings.at(-1)?.message).toBe('and 100 more');
});

describe('to 1.11', () => {
  const servers = (list: readonly Json[], more: Json = {}) =>
    lower({ dns: { servers: list }, outbounds: [{ type: 'direct', tag: 'out' }], ...more }, 11).config['dns'];

  test.each([
    [
      { type: 'local', tag: 'a' },
      { tag: 'a', address: 'local' },
    ],
    [
      { type: 'udp', tag: 'a', server: '1.1.1.1' },
      { tag: 'a', address: 'udp://1.1.1.1', detour: 'out' },
    ],
    [
      { type: 'tcp', server: '2001:db8::1', server_port: 5353 },
      { address: 'tcp://[2001:db8::1]:5353', detour: 'out' },
    ],
    [
      { type: 'tls', server: '1.1.1.1', server_port: 853, detour: 'x' },
      { address: 'tls://1.1.1.1', detour: 'x' },
    ],
    [
      { type: 'https', server: '1.1.1.1' },
      { address: 'https://1.1.1.1/dns-query', detour: 'out' },
    ],
    [
      { type: 'h3', server: '1.1.1.1', path: '/q' },
      { address: 'h3://1.1.1.1/q', detour: 'out' },
    ],
    [{ type: 'dhcp', interface: 'eth0' }, { address: 'dhcp://eth0' }],
    [{ address: 'tls://8.8.8.8' }, { address: 'tls://8.8.8.8' }],
    [
      { type: 'tls', server: 'dns.test', domain_resolver: { server: 'r', strategy: 'ipv4_only' } },
      { address: 'tls://dns.test', address_resolver: 'r', address_strategy: 'ipv4_only', detour: 'out' },
    ],
  ])('%j is %j', (server, legacy) => {
    expect(servers([server])).toEqual({ servers: [legacy] });
  });

  test('a server with a name is found by the default resolver', () => {
    const route = { default_domain_resolver: 'r' };
    expect(
      servers(
        [
          { type: 'local', tag: 'r' },
          { type: 'udp', server: 'dns.test' },
        ],
        { route },
      ),
    ).toEqual({
      servers: [
        { tag: 'r', address: 'local' },
        { address: 'udp://dns.test', address_resolver: 'r', detour: 'out' },
      ],
      rules: [{ outbound: 'any', server: 'r' }],
    });
  });

  test('fakeip is a block beside the servers', () => {
    expect(servers([{ type: 'fakeip', tag: 'f', inet4_range: '198.18.0.0/15' }])).toEqual({
      servers: [{ tag: 'f', address: 'fakeip' }],
      fakeip: { enabled: true, inet4_range: '198.18.0.0/15' },
    });
  });

  test('resolvers are rules, a strategy is a server of its own', () => {
    const { config } = lower(
      {
        dns: { servers: [{ type: 'local', tag: 'l' }], rules: [{ domain: ['x'], server: 'l' }] },
        outbounds: [{ type: 'direct', tag: 'out', domain_resolver: 'l' }],
        route: { default_domain_resolver: { server: 'l', strategy: 'ipv4_only' } },
      },
      11,
    );
    expect(config).toEqual({
      dns: {
        servers: [
          { tag: 'l', address: 'local' },
          { tag: 'l ipv4_only', address: 'local', strategy: 'ipv4_only' },
        ],
        rules: [
          { outbound: 'out', server: 'l' },
          { outbound: 'any', server: 'l ipv4_only' },
          { domain: ['x'], server: 'l' },
        ],
      },
      outbounds: [{ type: 'direct', tag: 'out' }],
      route: {},
    });
  });

  test('a predefined code is a server', () => {
    const rules = [{ domain: ['x'], action: 'predefined', rcode: 'NXDOMAIN' }];
    expect(lower({ dns: { servers: [], rules } }, 11).config).toEqual({
      dns: {
        servers: [{ tag: 'rcode name_error', address: 'rcode://name_error' }],
        rules: [{ domain: ['x'], action: 'route', server: 'rcode name_error' }],
      },
    });
  });

  test.each([
    [{ dns: { servers: [{ type: 'hosts' }] } }, 'dns.servers[0].type'],
    [{ dns: { servers: [{ type: 'tls', server: '1.1.1.1', tls: { insecure: true } }] } }, 'dns.servers[0].tls'],
    [{ dns: { servers: [{ type: 'udp', server: '1.1.1.1', bind_interface: 'x' }] } }, 'dns.servers[0].bind_interface'],
    [{ dns: { servers: [{ type: 'fakeip' }, { type: 'fakeip' }] } }, 'dns.servers[1]'],
    [{ dns: { rules: [{ action: 'predefined', answer: ['x. A 1.1.1.1'] }] } }, 'dns.rules[0].answer'],
    [{ dns: { rules: [{ action: 'predefined', rcode: 'BADKEY' }] } }, 'dns.rules[0].rcode'],
    [{ services: [] }, 'services'],
  ])('%j is refused', (config, path) => {
    expect(refusal(config, 11)).toMatch(new RegExp(`^${path.replaceAll(/[[\].]/g, '\\$&')}: `));
  });
});
