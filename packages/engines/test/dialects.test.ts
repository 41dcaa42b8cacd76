import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, test } from '@jest/globals';
import { lowerDialect } from '../src/sing-box/dialects/dialects.ts';
import type { Json } from '../src/sing-box/document.ts';
import { newFields, type NewFields } from '../src/sing-box/dialects/new-fields.ts';
import { profileOf } from '../src/sing-box/profile.ts';
import { createWorkplace, engines, saidOfEngines, type RealEngine } from './real-engine.ts';

const place = createWorkplace();
afterAll(() => {
  place.remove();
  process.stderr.write(saidOfEngines());
});

const outbounds = [
  { type: 'direct', tag: 'direct' },
  { type: 'socks', tag: 'select', server: 'proxy.test', server_port: 1080 },
];
const remote = { type: 'remote', tag: 's', format: 'binary', url: 'https://rules.test/s.srs' };

/** For each row a document that only the engines from `since` on take as it is. */
const documents: readonly (readonly [feature: string, since: number, document: Json])[] = [
  [
    'several tags of one rule-set',
    14,
    { outbounds, route: { rule_set: [{ ...remote, tag: ['a', 'b'], url: 'https://rules.test/{tag}.srs' }] } },
  ],
  [
    'HTTP clients',
    14,
    {
      http_clients: [{ tag: 'far', detour: 'select' }, { tag: 'near' }],
      outbounds,
      route: { rule_set: [remote, { ...remote, tag: 't', http_client: 'near' }], default_http_client: 'far' },
    },
  ],
  ['store_dns', 14, { experimental: { cache_file: { enabled: true, store_dns: true } } }],
  [
    'evaluate and match_response',
    14,
    {
      dns: {
        servers: [
          { type: 'local', tag: 'l' },
          { type: 'local', tag: 'm' },
        ],
        rules: [
          { domain_suffix: ['test'], action: 'evaluate', server: 'l' },
          { match_response: true, ip_cidr: ['10.0.0.0/8'], action: 'respond' },
        ],
        final: 'm',
      },
    },
  ],
  [
    'predefined',
    12,
    {
      dns: {
        servers: [{ type: 'local', tag: 'l' }],
        rules: ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'].map((rcode) => ({
          domain: [`${rcode}.test`],
          action: 'predefined',
          rcode,
        })),
      },
    },
  ],
  [
    'typed DNS servers',
    12,
    {
      dns: {
        servers: [
          { type: 'local', tag: 'l' },
          { type: 'udp', tag: 'u', server: '1.1.1.1', server_port: 5353 },
          { type: 'tcp', tag: 't', server: '2001:db8::1' },
          { type: 'tls', tag: 's', server: 'dns.test', domain_resolver: { server: 'l', strategy: 'ipv4_only' } },
          { type: 'https', tag: 'h', server: '1.1.1.1', path: '/q', detour: 'select' },
          { type: 'quic', tag: 'q', server: '1.1.1.1' },
          { type: 'h3', tag: 'h3', server: '1.1.1.1' },
          { type: 'fakeip', tag: 'f', inet4_range: '198.18.0.0/15', inet6_range: 'fc00::/18' },
        ],
        rules: [{ query_type: ['A', 'AAAA'], action: 'route', server: 'f' }],
        final: 'u',
      },
      outbounds,
      route: { default_domain_resolver: 'l' },
    },
  ],
  [
    'resolvers',
    12,
    {
      dns: {
        servers: [
          { type: 'local', tag: 'l' },
          { type: 'udp', tag: 'u', server: '1.1.1.1' },
        ],
      },
      outbounds: [{ ...outbounds[1], domain_resolver: 'u' }, outbounds[0]],
      route: { default_domain_resolver: { server: 'l', strategy: 'prefer_ipv4' } },
    },
  ],
];

const lowered = (document: Json, engine: RealEngine): string =>
  JSON.stringify(lowerDialect(structuredClone(document), profileOf(engine.target)).config);

/** The engine's words about a document, warnings included. */
function said(engine: RealEngine, document: unknown): string {
  const args = ['check', '--disable-color', '-c', 'stdin'];
  const { stderr } = spawnSync(engine.program, args, { input: JSON.stringify(document), encoding: 'utf8' });
  return stderr;
}

describe.each(engines)('$name', (engine) => {
  const { minor } = profileOf(engine.target);

  test.each(documents)('takes what is written for it: %s', (_, since, document) => {
    if (minor < since) expect(place.check(engine, JSON.stringify(document))).toBeDefined();
    expect(said(engine, JSON.parse(lowered(document, engine)))).toBe('');
  });

  // Builds with ACME are rare, but all of them read the settings first.
  test('reads certificate providers', () => {
    const tls = { enabled: true, certificate_provider: 'p' };
    const document = {
      certificate_providers: [{ type: 'acme', tag: 'p', domain: ['a.test'], email: 'me@a.test' }],
      inbounds: [{ type: 'trojan', listen_port: 1, users: [{ password: 'x' }], tls }],
    };
    expect(said(engine, JSON.parse(lowered(document, engine)))).toMatch(/^$|ACME is not included/);
    if (minor < 14) expect(said(engine, document)).toContain('unknown field "certificate_provider');
  });

  test('knows the fields from the version on that the table says', () => {
    const wrong = newFields.flatMap((row) => row.keys.flatMap((key) => disagreement(engine, minor, row, key)));
    expect(wrong).toEqual([]);
  });
});

/** Types that have the fields of a row which stands for several; the longest match counts. */
const sampleTypes: Readonly<Record<string, string>> = {
  'inbounds[]': 'mixed',
  'inbounds[] managed': 'shadowsocks',
  'inbounds[] wildcard_sni': 'shadowtls',
  'inbounds[] quic_congestion_control': 'naive',
  'inbounds[] bbr_profile': 'hysteria2',
  'inbounds[] realm': 'hysteria2',
  'inbounds[].handshake': 'shadowtls',
  'inbounds[].tls': 'trojan',
  'outbounds[]': 'vless',
  'outbounds[].tls': 'vless',
  'outbounds[].tls.ech': 'vless',
  'endpoints[]': 'wireguard',
  'services[]': 'ssm-api',
  'services[].tls': 'ssm-api',
  'route.rule_set[]': 'remote',
  'route.rule_set[].rules[]': 'inline',
};

function probes({ at, types, values }: NewFields, key: string): Json[] {
  const steps = at === '' ? [] : at.split('.');
  const outer = steps.findIndex((step) => step.endsWith('[]'));
  const wrap = (object: Json, type: string | undefined, index = 0): Json => {
    const step = steps[index];
    if (step === undefined) return object;
    const typed = index === outer && type !== undefined ? { type, tag: 'probe' } : {};
    const inner = { ...typed, ...wrap(object, type, index + 1) };
    return step.endsWith('[]') ? { [step.slice(0, -2)]: [inner] } : { [step]: inner };
  };
  if (values !== undefined) {
    const action = key === 'method' ? { action: 'reject' } : {};
    return values.map((value) => wrap({ ...action, [key]: value }, undefined));
  }
  const rest = at === 'dns.rules[]' || at === 'route.rules[]' ? { action: 'route' } : {};
  const sample = sampleTypes[`${at} ${key}`] ?? sampleTypes[at];
  return [wrap({ ...rest, [key]: { $: 1 } }, types?.[0] ?? sample)];
}

/** A value of a wrong type shows whether the name is known at all. */
function disagreement(engine: RealEngine, minor: number, row: NewFields, key: string): string[] {
  return probes(row, key).flatMap((probe) => {
    const words = said(engine, probe);
    const isUnknown =
      row.values === undefined ? words.includes(`unknown field "${key}"`) : /unknown|unsupported/.test(words);
    // A whole list that is not known hides what is in it.
    const isHidden = minor < 12 && row.at.startsWith('services[]');
    return isUnknown === minor < row.since || isHidden ? [] : [`${row.at} ${key} since ${row.since}: ${words}`];
  });
}
