import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { ProblemError } from '@sbox/core';
import { composeSingBox, type EngineTarget, type Json } from '@sbox/engines/sing-box/render';
import { templateSchema } from '@sbox/protocol/pipeline';
import * as fc from 'fast-check';
import { templateNodes } from '../../test/template-nodes.ts';
import { adoptConfig } from './adopt-config.ts';
import { checkTemplate, fillTemplate } from './fill-template.ts';

const deps = { sha256: (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest()) };
const target = (version: string): EngineTarget => ({
  engine: 'sing-box',
  version,
  tags: ['with_quic', 'with_wireguard'],
});
const adopt = (text: string, engine_version = '1.14.4') => adoptConfig(text, { name: 'own', engine_version }, deps);

const desktop = `{
  // Written by hand.
  "log": { "level": "info" },
  "dns": {
    "servers": [
      { "type": "https", "tag": "remote", "server": "1.1.1.1", "detour": "Proxy" },
      { "type": "local", "tag": "local" },
    ],
    "rules": [{ "domain_suffix": [".lan"], "server": "local" }],
    "independent_cache": true,
    "strategy": "prefer_ipv4",
  },
  "inbounds": [
    { "type": "mixed", "tag": "in", "listen": "127.0.0.1", "listen_port": 7890 },
    { "type": "tun", "tag": "tun", "address": ["172.18.0.1/30"], "auto_route": true }
  ],
  "outbounds": [
    { "type": "selector", "tag": "Proxy", "outbounds": ["Auto", "Berlin", "Berlin", "direct"], "default": "gone" },
    { "type": "urltest", "tag": "Auto", "outbounds": ["Berlin"], "interval": "2h" },
    { "type": "trojan", "tag": "Berlin", "server": "berlin.test", "server_port": 443, "password": "a\${b}$$\${c}",
      "tls": { "enabled": true, "server_name": "berlin.test" } },
    /* The machine itself. */
    { "type": "direct", "tag": "direct" }
  ],
  "route": { "final": "Proxy", "auto_detect_interface": true, "default_domain_resolver": "local" },
  "experimental": { "cache_file": { "enabled": true }, "clash_api": { "external_controller": "127.0.0.1:9090" } }
}`;

const legacy = JSON.stringify({
  dns: {
    servers: [
      { tag: 'remote', address: 'tls://8.8.8.8', detour: 'proxy' },
      { tag: 'block', address: 'rcode://refused' },
    ],
    rules: [{ outbound: 'any', server: 'remote' }],
    fakeip: { enabled: true, inet4_range: '198.18.0.0/15' },
  },
  inbounds: [{ type: 'mixed', listen: '::', listen_port: 2080, sniff: true, domain_strategy: 'prefer_ipv4' }],
  outbounds: [
    { type: 'selector', tag: 'proxy', outbounds: ['wg', 'ss'] },
    {
      type: 'wireguard',
      tag: 'wg',
      server: 'wg.test',
      server_port: 51820,
      local_address: ['10.0.0.2/32'],
      private_key: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
      peer_public_key: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
    },
    { type: 'shadowsocks', tag: 'ss', server: 'ss.test', server_port: 8388, method: 'aes-256-gcm', password: 'p' },
    { type: 'dns', tag: 'dns-out' },
    { type: 'block', tag: 'block' },
  ],
  route: {
    rules: [
      { protocol: 'dns', outbound: 'dns-out' },
      { geosite: 'cn', outbound: 'block' },
    ],
    geoip: { path: 'g' },
  },
});

const server = JSON.stringify({
  $schema: 'https://sing-box.sagernet.org/schema.json',
  inbounds: [
    {
      type: 'vless',
      tag: 'vless',
      listen: '::',
      listen_port: 443,
      users: [{ uuid: '2dd61d93-75d8-4da4-ac0e-6aece7eac365' }],
    },
  ],
  ntp: { enabled: true, server: 'time.test' },
});

const remote = JSON.stringify({
  http_clients: [{ tag: 'h', detour: 'out' }],
  outbounds: [{ type: 'direct', tag: 'out' }],
  endpoints: [{ type: 'tailscale', tag: 'ts', auth_key: 'k' }],
  route: {
    default_http_client: 'h',
    rule_set: [
      { type: 'remote', tag: ['a', 'b'], url: 'https://rules.test/{tag}.srs' },
      { type: 'inline', tag: 'c', rules: [] },
    ],
    rules: [{ type: 'logical', mode: 'or', rules: [{ rule_set: 'a' }, { port: 25 }], action: 'reject' }],
  },
  experimental: { cache_file: { enabled: true, store_dns: true } },
});

const cases: readonly (readonly [name: string, text: string, version: string])[] = [
  ['a desktop', desktop, '1.13.21'],
  ['a desktop', desktop, '1.12.23'],
  ['an old gateway', legacy, '1.11.15'],
  ['a server without outbounds', server, '1.14.4'],
  ['rule-sets of 1.14', remote, '1.14.4'],
  ['no outbound at all', '{"outbounds": []}', '1.14.4'],
  ['nothing', '{}', '1.12.0'],
];

/** What the text says, for JSON that has comments. */
const plain = (text: string): Json =>
  JSON.parse(text.replaceAll(/^\s*(?:\/\/.*|\/\*.*\*\/)$/gm, '').replaceAll(/,(?=\s*[}\]])/g, '')) as Json;

test.each(cases)('%s: the first render is the same document', (_, text, version) => {
  const { template } = adopt(text);
  expect(() => checkTemplate(template)).not.toThrow();
  const { config, warnings, left_out } = composeSingBox(
    { skeleton: fillTemplate(template), nodes: [] },
    target(version),
  );
  expect(config).toEqual(plain(text));
  expect({ warnings, left_out }).toEqual({ warnings: [], left_out: [] });
});

test('any document comes back as it was, or is refused', () => {
  const word = fc.constantFrom('a', 'b', '${a}', '$${', '$', '${', '$nodes', 'selector', 'direct', '__proto__', 'tag');
  const group = fc.record({
    type: fc.constantFrom('selector', 'urltest', 'trojan'),
    tag: word,
    outbounds: fc.oneof(fc.array(word, { maxLength: 3 }), word),
    default: word,
    interval: fc.constantFrom('1m', '2h'),
  });
  const document = fc.record(
    {
      outbounds: fc.array(fc.oneof(group, fc.jsonValue()), { maxLength: 4 }),
      endpoints: fc.array(fc.record({ tag: word })),
      route: fc.record({ final: word, rules: fc.array(fc.dictionary(word, fc.jsonValue())) }),
      dns: fc.dictionary(word, fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(document, (value) => {
      const text = JSON.stringify(value);
      let skeleton: Json;
      try {
        const { template } = adopt(text);
        checkTemplate(template);
        skeleton = fillTemplate(template);
      } catch (error) {
        expect((error as ProblemError).code).toBe('template.invalid');
        return;
      }
      expect(composeSingBox({ skeleton, nodes: [] }, target('1.14.4')).config).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('a group that has no members stays as it is', () => {
  const document = { outbounds: [{ type: 'selector', tag: 'a', outbounds: [] }] };
  const { template, main_group } = adopt(JSON.stringify(document));
  expect(main_group).toBe('a');
  expect(composeSingBox({ skeleton: fillTemplate(template), nodes: [] }, target('1.14.4')).config).toEqual(document);
});

describe('says what it found', () => {
  test('nodes, groups and findings', () => {
    const found = adopt(desktop);
    expect(found.nodes.map(({ tag }) => tag)).toEqual(['Berlin']);
    expect(found.groups).toEqual(['Proxy', 'Auto']);
    expect(found.main_group).toBe('Proxy');
    expect(found.findings.map(({ path }) => path)).toEqual(['outbounds[0].default']);
    expect(adopt(legacy).nodes.map(({ tag }) => tag)).toEqual(['wg', 'ss']);
    expect(adopt(legacy).main_group).toBe('proxy');
    expect(adopt(server)).toMatchObject({ nodes: [], groups: [] });
  });

  test('what the engine no longer takes', () => {
    const paths = adopt(legacy, '1.13.0').deprecations.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['dns.servers[0].address', 'inbounds[0].sniff', 'outbounds[1].type']));
    expect(adoptConfig(legacy, { name: 'own' }, deps).deprecations).toEqual([]);
  });

  test('nodes of subscriptions join the groups that are named, and stand behind the own ones', () => {
    const { template } = adopt(desktop);
    const rendered = (nodes_in?: readonly string[]) =>
      composeSingBox(
        { skeleton: fillTemplate(template, nodes_in === undefined ? {} : { nodes_in }), nodes: templateNodes },
        target('1.13.21'),
      ).config['outbounds'];
    expect(rendered()).toMatchObject([
      { outbounds: ['Auto', 'Berlin', 'direct', 'trojan', 'ss'] },
      { outbounds: ['Berlin'] },
      { tag: 'Berlin', password: 'a${b}$$${c}' },
      { tag: 'direct' },
      { tag: 'trojan' },
      { tag: 'ss' },
    ]);
    const [main, auto] = rendered(['Auto']) as Json[];
    expect(main).toMatchObject({ outbounds: ['Auto', 'Berlin', 'Berlin', 'direct'] });
    expect(auto).toMatchObject({ outbounds: ['Berlin', 'trojan', 'ss'], idle_timeout: '2h' });
  });
});

test.each([
  ['[]', 'no JSON object'],
  ['{', 'no JSON object'],
  ['hello', 'no JSON object'],
  ['{"outbounds": {}}', 'outbounds: must be a list'],
  ['{"outbounds": [{"tag": "$nodes"}]}', 'outbounds[0].tag: "$nodes" has a meaning'],
  ['{"inbounds": [{"headers": {"$when": 1}}]}', 'inbounds[0].headers.$when: keys with $'],
])('%s is refused', (text, words) => {
  try {
    adopt(text);
  } catch (error) {
    expect((error as ProblemError).code).toBe('template.invalid');
    expect((error as ProblemError).message).toContain(words);
    return;
  }
  throw new Error('it was taken');
});

test('hundreds of groups make a template that can be saved', () => {
  const outbounds = Array.from({ length: 300 }, (_, n) => ({ type: 'selector', tag: `g ${n}`, outbounds: ['direct'] }));
  const { template, groups } = adopt(JSON.stringify({ outbounds: [...outbounds, { type: 'direct', tag: 'direct' }] }));
  expect(groups).toHaveLength(300);
  expect(templateSchema.safeParse(template).success).toBe(true);
});
