import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { soundConfig } from '../../../test/arbitrary-configs.ts';
import { checkReferences } from '../checks/check-references.ts';
import { asRecord, recordsIn, type Json } from '../document.ts';
import { overlay, probeTag, type Slot } from './overlay.ts';

const live: Slot = {
  mode: 'live',
  ports: {},
  control: { address: '127.0.0.1:9', secret: 's' },
  cache_path: '/c/cache.db',
  log: {},
  once: [],
};
const trial: Slot = { ...live, mode: 'trial', ports: { in: 5001 } };

const proxy = (tag: string, more = {}): Json => ({ type: 'socks', tag, server: '192.0.2.1', server_port: 1, ...more });
const wireguard = (tag: string, more = {}): Json => ({ type: 'wireguard', tag, ...more });
const selector = (tag: string, ...outbounds: string[]): Json => ({ type: 'selector', tag, outbounds });
const urltest = (tag: string, ...outbounds: string[]): Json => ({
  type: 'urltest',
  tag,
  outbounds,
  url: 'http://a.test',
});
const direct = { type: 'direct', tag: 'direct' };
const mixed = { type: 'mixed', tag: 'in', listen: '::', listen_port: 1080 };
const config = (outbounds: readonly Json[], more: Json = {}): Json => ({ inbounds: [mixed], outbounds, ...more });
const outbound = (result: Json, tag: string): Json | undefined =>
  recordsIn(result['outbounds']).find((item) => item['tag'] === tag);

describe('live', () => {
  test('sets control, cache and log, and keeps what else is said there', () => {
    const rendition = config([direct], {
      log: { level: 'info', output: '/var/log/x', timestamp: true },
      experimental: {
        clash_api: { external_controller: '0.0.0.0:9090', secret: 'old', default_mode: 'rule' },
        cache_file: { enabled: false, path: 'x', store_fakeip: true },
        debug: { gc_percent: 10 },
      },
    });
    expect(overlay(rendition, { ...live, log: { level: 'warn' } }).config).toEqual({
      ...rendition,
      log: { level: 'warn', timestamp: true },
      experimental: {
        clash_api: { external_controller: '127.0.0.1:9', secret: 's', default_mode: 'rule' },
        cache_file: { enabled: true, path: '/c/cache.db', store_fakeip: true },
        debug: { gc_percent: 10 },
      },
    });
  });

  test('without a cache path there is no cache', () => {
    const rendition = config([direct], { experimental: { cache_file: { enabled: true } } });
    expect(overlay(rendition, { ...live, cache_path: undefined }).config['experimental']).not.toHaveProperty(
      'cache_file',
    );
  });

  test('moves ports by tag, or by place where there is no tag', () => {
    const inbounds = [mixed, { type: 'socks', listen_port: 2 }, { type: 'tun', tag: 't' }];
    const { config: result } = overlay({ inbounds }, { ...live, ports: { in: 11, 1: 12, toString: 13 } });
    expect(recordsIn(result['inbounds'])).toEqual([
      { ...mixed, listen_port: 11 },
      { type: 'socks', listen_port: 12 },
      inbounds[2],
    ]);
  });

  test.each([
    ['::', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    [undefined, '127.0.0.1'],
    ['::1', '::1'],
    ['192.0.2.7', '192.0.2.7'],
  ])('an inbound on %s is probed at %s', (listen, address) => {
    const { probe } = overlay({ inbounds: [{ ...mixed, listen }] }, { ...live, ports: { in: 11 } });
    expect(probe).toEqual({ tag: 'in', address, port: 11 });
  });

  test.each<Json>([
    { type: 'tun', tag: 't' },
    { ...mixed, users: [{ username: 'u', password: 'p' }] },
    { ...mixed, type: 'http', tls: { enabled: true } },
    { ...mixed, listen_port: 0 },
    { type: 'shadowsocks', tag: 's', listen_port: 8388 },
  ])('beside %j an inbound for probes is added', (inbound) => {
    const own = { type: 'mixed', tag: probeTag, listen: '127.0.0.1', listen_port: 7 };
    const { config: result, probe } = overlay({ inbounds: [inbound] }, { ...live, probe_port: 7 });
    expect(result['inbounds']).toEqual([inbound, own]);
    expect(probe).toEqual({ tag: probeTag, address: '127.0.0.1', port: 7 });
    expect(overlay({ inbounds: [inbound] }, live).probe).toBeUndefined();
  });
});

test.each([null, [], 'x', { inbounds: {} }, { outbounds: [null] }])(
  'refuses %j, which is no configuration',
  (rendition) => {
    expect(() => overlay(rendition, live)).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  },
);

describe('trial', () => {
  test('opens only the given ports, as mixed inbounds on loopback', () => {
    const inbounds = [
      { ...mixed, users: [{ username: 'u', password: 'p' }], set_system_proxy: true },
      { type: 'tun', tag: 't' },
      { type: 'vless', tag: 'v', listen: '::', listen_port: 443 },
    ];
    const { config: result, probe } = overlay({ inbounds }, { ...trial, ports: { in: 5001, t: 5002, gone: 5003 } });
    expect(result['inbounds']).toEqual([{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 5001 }]);
    expect(probe).toMatchObject({ tag: 'in', address: '127.0.0.1', port: 5001 });
  });

  test('with no inbound for proxies the added one is probed, else any other', () => {
    const rendition = { inbounds: [{ type: 'vless', tag: 'v', listen: '::', listen_port: 443 }] };
    expect(overlay(rendition, { ...trial, ports: { v: 1 }, probe_port: 2 }).probe?.tag).toBe(probeTag);
    expect(overlay(rendition, { ...trial, ports: { v: 1 } }).probe?.tag).toBe('v');
    expect(overlay(rendition, { ...trial, ports: {} }).probe).toBeUndefined();
  });

  test('does without what listens, measures or sets something of the machine', () => {
    const rendition = config([direct], {
      services: [{ type: 'ssm-api', tag: 'ssm', listen: '::', listen_port: 1 }],
      certificate_providers: [{ type: 'acme' }],
      ntp: { enabled: true, server: 'a.test', write_to_system: true },
      experimental: {
        v2ray_api: { listen: '::' },
        debug: { listen: '::' },
        clash_api: { external_ui: 'ui', default_mode: 'rule' },
      },
    });
    const { config: result, removed } = overlay(rendition, trial);
    expect(result).not.toHaveProperty('services');
    expect(result).not.toHaveProperty('certificate_providers');
    expect(result['ntp']).toEqual({ enabled: true, server: 'a.test' });
    expect(result['experimental']).toEqual({
      clash_api: { default_mode: 'rule', external_controller: '127.0.0.1:9', secret: 's' },
    });
    expect(removed).toEqual(['ssm']);
  });

  test('endpoints and nodes marked once go, with the groups and rules that only had them', () => {
    const rendition = config(
      [
        selector('select', 'auto', 'a', 'w', 'o'),
        urltest('auto', 'w', 'o', 'a'),
        selector('only', 'w'),
        selector('outer', 'only'),
        proxy('a'),
        proxy('o'),
        direct,
      ],
      {
        endpoints: [wireguard('w')],
        route: {
          final: 'select',
          rules: [
            { domain: 'x', outbound: 'w' },
            { domain: 'y', outbound: 'outer' },
            { domain: 'z', outbound: 'a' },
          ],
        },
      },
    );
    const { config: result, removed, probe } = overlay(rendition, { ...trial, once: ['o'] });
    expect(removed.toSorted()).toEqual(['o', 'only', 'outer', 'w']);
    expect(result).not.toHaveProperty('endpoints');
    expect(recordsIn(result['outbounds'])).toEqual([
      { type: 'selector', tag: 'select', outbounds: ['auto', 'a'] },
      { type: 'selector', tag: 'auto', outbounds: ['a'], default: 'a' },
      proxy('a'),
      direct,
    ]);
    expect(asRecord(result['route'])['rules']).toEqual([{ domain: 'z', outbound: 'a' }]);
    expect(probe?.choices).toEqual({ selector: 'auto', members: ['a'] });
  });

  test('a node behind a removed one goes too, and never becomes direct', () => {
    const rendition = config([selector('select', 'behind', 'a'), proxy('behind', { detour: 'w' }), proxy('a')], {
      endpoints: [wireguard('w')],
    });
    const { removed, config: result } = overlay(rendition, trial);
    expect(removed).toEqual(['w', 'behind']);
    expect(outbound(result, 'select')).toMatchObject({ outbounds: ['a'], default: 'a' });
  });

  test('measuring groups become selectors over three nodes, the preferred first', () => {
    const many = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const rendition = config([urltest('auto', ...many), ...many.map((tag) => proxy(tag))]);
    const first = overlay(rendition, trial);
    expect(outbound(first.config, 'auto')).toEqual({
      type: 'selector',
      tag: 'auto',
      outbounds: ['n0', 'n1', 'n2'],
      default: 'n0',
    });
    const { probe } = overlay(rendition, { ...trial, prefer: ['n40', 'unknown', 'n7'] });
    expect(probe?.choices).toEqual({ selector: 'auto', members: ['n40', 'n7', 'n0'] });
  });

  test('a selector over nodes stands on the last choice, a selector over groups on its group', () => {
    const rendition = config([
      selector('outer', 'auto', 'b'),
      urltest('auto', 'a', 'b'),
      selector('flat', 'a', 'b', 'c', 'd'),
      ...['a', 'b', 'c', 'd'].map((tag) => proxy(tag)),
    ]);
    const { config: result, probe } = overlay(rendition, { ...trial, prefer: ['b'] });
    expect(outbound(result, 'outer')).not.toHaveProperty('default');
    expect(outbound(result, 'flat')).toHaveProperty('default', 'b');
    expect(probe?.choices).toEqual({ selector: 'auto', members: ['b', 'a'] });
    expect(overlay({ ...rendition, route: { final: 'flat' } }, { ...trial, prefer: ['d'] }).probe?.choices).toEqual({
      selector: 'flat',
      members: ['d', 'a', 'b'],
    });
  });

  test('a selector that lost its choice does not fall back on direct while there is a proxy', () => {
    const rendition = config([{ ...selector('select', 'w', 'direct', 'a'), default: 'w' }, direct, proxy('a')], {
      endpoints: [wireguard('w')],
    });
    expect(outbound(overlay(rendition, trial).config, 'select')).toMatchObject({
      outbounds: ['direct', 'a'],
      default: 'a',
    });
  });

  test('what went through a removed endpoint goes through a proxy that is left', () => {
    const rendition = config([direct, proxy('a'), urltest('auto', 'a')], {
      endpoints: [wireguard('w')],
      route: { final: 'w' },
    });
    const { config: result, probe } = overlay(rendition, trial);
    expect(result['route']).toMatchObject({ final: 'auto' });
    expect(probe).toBeDefined();
  });

  test.each<[string, Json]>([
    ['the endpoint is final', config([direct], { endpoints: [wireguard('w')], route: { final: 'w' } })],
    [
      'only direct is left in the group',
      config([selector('s', 'w', 'direct'), direct], { endpoints: [wireguard('w')] }),
    ],
    ['everything is marked once', config([selector('s', 'o', 'direct'), proxy('o'), direct])],
    ['the outbound is of the old kind', config([wireguard('w'), direct])],
  ])('nothing to probe when %s', (_, rendition) => {
    expect(overlay(rendition, { ...trial, once: ['o'] }).probe).toBeUndefined();
  });

  test('a configuration that goes direct by itself is probed that way', () => {
    expect(overlay(config([direct]), trial).probe).toEqual({ tag: 'in', address: '127.0.0.1', port: 5001 });
    expect(overlay(config([]), trial).probe).toBeDefined();
    expect(overlay(config([direct, proxy('a')], { endpoints: [wireguard('w')] }), trial).probe).toBeDefined();
  });

  test('the first outbound stays the final one when another moves up, or takes its place', () => {
    const rendition = config([proxy('o'), direct, proxy('a')]);
    expect(overlay(rendition, { ...trial, once: ['o'] }).config['route']).toMatchObject({ final: 'a' });
    expect(overlay(config([{ ...proxy('x'), tag: undefined }, proxy('a')]), trial).config['outbounds']).toMatchObject([
      { tag: '0' },
      { tag: 'a' },
    ]);
  });

  test('DNS servers that lose their way get another, and those that find the nodes none', () => {
    const rendition = config([selector('s', 'a'), proxy('a')], {
      endpoints: [wireguard('w')],
      dns: {
        servers: [
          { type: 'udp', tag: 'd', server: '192.0.2.53', detour: 'w' },
          { type: 'udp', tag: 'nodes', server: '192.0.2.53', detour: 'w' },
        ],
      },
      route: { default_domain_resolver: 'nodes' },
    });
    expect(asRecord(overlay(rendition, trial).config['dns'])['servers']).toEqual([
      { type: 'udp', tag: 'd', server: '192.0.2.53', detour: 's' },
      { type: 'udp', tag: 'nodes', server: '192.0.2.53' },
    ]);
  });

  test('DNS servers of removed endpoints and services go, and another one answers', () => {
    const rendition = config([proxy('a', { domain_resolver: { server: 'ts', strategy: 'ipv4_only' } })], {
      endpoints: [{ type: 'tailscale', tag: 't' }],
      services: [{ type: 'resolved', tag: 'r' }],
      dns: {
        servers: [
          { type: 'tailscale', tag: 'ts', endpoint: 't' },
          { type: 'resolved', tag: 're', service: 'r' },
          { type: 'fakeip', tag: 'f' },
        ],
        rules: [
          { domain: 'x', server: 'ts' },
          { domain: 'y', server: 'f' },
        ],
        final: 'ts',
      },
      route: { default_domain_resolver: 're' },
    });
    const { config: result } = overlay(rendition, trial);
    expect(result['dns']).toEqual({
      servers: [
        { type: 'fakeip', tag: 'f' },
        { type: 'local', tag: 'sbox-local' },
      ],
      rules: [{ domain: 'y', server: 'f' }],
      final: 'sbox-local',
    });
    expect(result['route']).toMatchObject({ default_domain_resolver: 'sbox-local' });
    expect(outbound(result, 'a')).not.toHaveProperty('domain_resolver');
  });

  test('what was broken stays broken, so that the trial fails like the live engine would', () => {
    const rendition = config([selector('s', 'a', 'nope'), proxy('a')], {
      endpoints: [wireguard('w')],
      route: { final: 'nope' },
    });
    const { config: result } = overlay(rendition, trial);
    expect(outbound(result, 's')).toMatchObject({ outbounds: ['a', 'nope'] });
    expect(result['route']).toMatchObject({ final: 'nope' });
  });

  test('a group that lost its choice does not end at another that goes out directly', () => {
    const outer = (...members: string[]) => ({ ...selector('outer', ...members), default: 'w' });
    const inner = [{ type: 'direct', tag: 'direct' }, proxy('a'), selector('inner', 'direct', 'a')];
    const rest = { endpoints: [wireguard('w')], route: { final: 'outer' } };
    const { config: result } = overlay(config([...inner, outer('inner', 'w', 'a')], rest), trial);
    expect(outbound(result, 'outer')).toMatchObject({ default: 'a' });
    expect(overlay(config([...inner, outer('inner', 'w')], rest), trial).probe).toBeUndefined();
  });

  test('groups that contain each other are left to the engine', () => {
    const rendition = config([selector('x', 'y'), selector('y', 'x'), proxy('a')]);
    expect(overlay(rendition, trial).config['outbounds']).toMatchObject([
      { outbounds: ['y'] },
      { outbounds: ['x'] },
      {},
    ]);
  });
});

describe('whatever the configuration', () => {
  const slots = fc.record({
    once: fc.subarray(['o0', 'o1', 'o2', 'o3', 'g0']),
    prefer: fc.subarray(['o1', 'o4', 'o6', 'nope']),
    ports: fc
      .subarray([0, 1, 2, 3])
      .map((picked) => Object.fromEntries(picked.map((index) => [`in${index}`, 30_000 + index]))),
    probe_port: fc.constantFrom(undefined, 40_000),
  });

  test('every name in a trial is there, and it listens on loopback only', () => {
    fc.assert(
      fc.property(soundConfig, slots, (rendition, slot) => {
        expect(checkReferences(rendition)).toEqual([]);
        const before = structuredClone(rendition);
        const { config: result, probe, removed } = overlay(rendition, { ...trial, ...slot });
        expect(rendition).toEqual(before);
        expect(checkReferences(result)).toEqual([]);
        const ports = recordsIn(result['inbounds']);
        for (const inbound of ports) {
          expect(inbound).toEqual({
            type: 'mixed',
            tag: expect.any(String),
            listen: '127.0.0.1',
            listen_port: expect.any(Number),
          });
        }
        const allowed = new Set([...Object.values(slot.ports), slot.probe_port]);
        expect(ports.every(({ listen_port }) => allowed.has(Number(listen_port)))).toBe(true);
        const left = recordsIn(result['outbounds']);
        expect(left.some(({ type }) => type === 'urltest' || type === 'wireguard')).toBe(false);
        expect(left.some(({ tag }) => removed.includes(String(tag)) || slot.once.includes(String(tag)))).toBe(false);
        if (probe !== undefined)
          expect(ports.some(({ tag, listen_port }) => tag === probe.tag && listen_port === probe.port)).toBe(true);
        for (const member of probe?.choices?.members ?? []) expect(left.some(({ tag }) => tag === member)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('a request of a trial meets a proxy where one of the live engine would', () => {
    fc.assert(
      fc.property(soundConfig, slots, (rendition, slot) => {
        const { config: result, probe } = overlay(rendition, { ...trial, ...slot, prefer: [] });
        if (probe !== undefined && meetsProxy(rendition)) expect(meetsProxy(result)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('live, it changes nothing but its own parts, and doing it twice changes nothing more', () => {
    fc.assert(
      fc.property(soundConfig, slots, (rendition, { ports, probe_port }) => {
        const slot = { ...live, ports, probe_port };
        const once = overlay(rendition, slot);
        expect(overlay(once.config, slot)).toEqual(once);
        expect(JSON.parse(once.text)).toEqual(once.config);
        for (const key of ['outbounds', 'endpoints', 'route', 'dns']) expect(once.config[key]).toEqual(rendition[key]);
        const kept = recordsIn(once.config['inbounds']).filter(({ tag }) => tag !== probeTag);
        expect(kept.map(({ tag }) => tag)).toEqual(recordsIn(rendition['inbounds']).map(({ tag }) => tag));
      }),
      { numRuns: 200 },
    );
  });
});

/** Follows the final outbound: along the choice of a selector, along any member of a group that measures. */
function meetsProxy(from: Json): boolean {
  const outbounds = recordsIn(from['outbounds']);
  const all = [...recordsIn(from['endpoints']), ...outbounds];
  const reach = (tag: unknown): boolean => {
    const item = all.find((candidate) => candidate['tag'] === tag);
    if (item === undefined || item['type'] === 'direct' || item['type'] === 'block') return false;
    if (!Array.isArray(item['outbounds'])) return true;
    return item['type'] === 'urltest' ? item['outbounds'].some(reach) : reach(item['default'] ?? item['outbounds'][0]);
  };
  return reach(asRecord(from['route'])['final'] ?? outbounds[0]?.['tag']);
}
