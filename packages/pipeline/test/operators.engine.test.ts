import { hash } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkReferences, composeSingBox, defaultSkeleton } from '@sbox/engines/sing-box/render';
import { parseSubscription } from '@sbox/formats';
import { explainNode, runPipeline, validatePipeline } from '../src/index.ts';
import { createWorkplace, engines } from './real-engines.ts';

const place = createWorkplace();
afterAll(() => place.remove());

const uuid = '0b8c1d52-3a64-4f0e-9a77-5d2f6c1e8b90';
const links = [
  `vless://${uuid}@a.example.net:443?security=tls&sni=www.example.org&type=ws&path=%2Fp#🇩🇪 Frankfurt 1`,
  `vless://${uuid}@b.example.net:443?security=tls&flow=xtls-rprx-vision#Berlin 2`,
  'trojan://pass-word@c.example.net:443?sni=www.example.org#Amsterdam 1',
  `vmess://${uuid}@d.example.net:8443?encryption=auto&type=ws&path=%2Fw#Москва 1`,
  'ss://YWVzLTEyOC1nY206cGFzcy13b3Jk@e.example.net:8388#香港 IPLC',
  'trojan://pass-word@f.example.net:443#剩余流量 5 GB',
].join('\n');

const pipeline = validatePipeline([
  { operator: 'exclude', preset: 'useless' },
  { operator: 'dedupe', by: 'endpoint' },
  { operator: 'tag', from: 'country' },
  { operator: 'resolve', family: 'ipv4' },
  {
    operator: 'set',
    insecure: true,
    alpn: ['h2', 'http/1.1'],
    tls_min_version: '1.2',
    tcp_fast_open: true,
    tcp_multi_path: true,
    connect_timeout: '5s',
    udp_over_tcp: true,
    early_data: 2048,
    packet_encoding: 'xudp',
  },
  { operator: 'set', match: { protocol: ['vmess', 'trojan'] }, multiplex: { protocol: 'h2mux', max_streams: 8 } },
  { operator: 'set', match: { country: 'HK' }, udp: false, udp_over_tcp: false },
  { operator: 'country', flag: 'replace' },
  { operator: 'rename', template: '{flag} {country_name} {country_index:2}' },
  { operator: 'chain', match: { country: 'DE' }, through: { country: ['RU', 'NL'] }, pick: 'spread' },
  { operator: 'sort', by: ['country', 'name'] },
  {
    operator: 'group',
    tag: '{flag} {name}',
    type: 'urltest',
    match: {},
    each: 'country',
    interval: '5m',
    tolerance: 50,
  },
  { operator: 'group', tag: 'nobody', type: 'urltest', match: { country: 'JP' }, empty: 'direct' },
  {
    operator: 'group',
    tag: 'all',
    type: 'selector',
    match: {},
    groups: ['{flag} {name}', 'nobody', 'direct'],
    default: { label: 'country:NL' },
  },
  {
    operator: 'group',
    tag: 'spare',
    type: 'fallback',
    match: { label: 'country:DE' },
    url: 'https://www.example.org/',
  },
]);
const { nodes } = parseSubscription(links, { sha256: (bytes) => hash('sha256', bytes, 'buffer') });
const result = runPipeline([{ subscription: 'main', nodes }], pipeline, {
  addresses: new Map([['a.example.net', ['192.0.2.1']]]),
});

describe.each(engines)('$name', (engine) => {
  test('what comes out of every operator is accepted by the engine', () => {
    const { config, text, left_out } = composeSingBox(
      { skeleton: defaultSkeleton(), nodes: result.nodes.map(({ node }) => node), groups: result.groups },
      engine.target,
    );
    expect({ left_out, findings: checkReferences(config) }).toEqual({ left_out: [], findings: [] });
    expect(place.check(engine, text)).toBe('');
    for (const tag of ['all', 'spare', '🇩🇪 Germany', '🇩🇪 Germany 01']) expect(text).toContain(`"tag": "${tag}"`);
  });
});

test('and every node can be explained', () => {
  for (const { id, tag } of nodes) expect(explainNode(result, tag)).toMatchObject({ node_id: id, is_partial: false });
  expect(explainNode(result, '🇩🇪 Germany 01')).toMatchObject({
    groups: ['🇩🇪 Germany', 'all', 'spare'],
    verdict: 'kept',
  });
});
