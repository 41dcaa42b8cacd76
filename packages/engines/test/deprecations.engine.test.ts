import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from '@jest/globals';
import { deprecationsIn, deprecationTable } from '../src/sing-box/checks/deprecations.ts';
import type { Json } from '../src/sing-box/document.ts';
import { plainText } from '../src/sing-box/run.ts';
import { createWorkplace, engines, type RealEngine } from './real-engine.ts';

const place = createWorkplace();
afterAll(() => place.remove());

/** What the engine says until it has started or ended. */
async function saidBy(engine: RealEngine, config: object): Promise<{ said: string; isStarted: boolean }> {
  const child = place.start(engine, JSON.stringify(config));
  const exited = once(child, 'exit');
  let said = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    said += `${plainText(line)}\n`;
    if (line.includes('sing-box started')) break;
  }
  const isStarted = said.includes('sing-box started');
  if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, 'SIGKILL');
  await exited;
  return { said, isStarted };
}

const node = { type: 'socks', tag: 'a', server: '192.0.2.1', server_port: 1 };
const local = { type: 'local', tag: 'l' };
const dns = (more: Json, rule: Json = {}): Json => ({
  outbounds: [node],
  dns: { servers: [local], rules: [{ domain: 'x.test', server: 'l', ...rule }], ...more },
});
const rule = (more: Json): Json => ({ outbounds: [node], route: { rules: [{ outbound: 'a', ...more }] } });
const remote = (more: Json): Json => ({
  outbounds: [node, { type: 'direct', tag: 'd' }],
  route: {
    rule_set: [{ type: 'remote', tag: 'r', format: 'binary', url: 'http://127.0.0.1:1/r.srs', ...more }],
    rules: [{ rule_set: 'r', outbound: 'a' }],
  },
});
const inline = [{ type: 'inline', tag: 'r', rules: [{ ip_cidr: '192.0.2.0/24' }] }];
const key = Buffer.alloc(32, 7).toString('base64');
const listener = { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 0 };

/** The least configuration that has it. */
const samples: Readonly<Record<string, Json>> = {
  geoip: rule({ geoip: 'de' }),
  geosite: rule({ geosite: 'de' }),
  'clash-api-cache': { experimental: { clash_api: { store_selected: true } } },
  'bad-match-source': {
    outbounds: [node],
    route: { rule_set: inline, rules: [{ rule_set: 'r', rule_set_ipcidr_match_source: true, outbound: 'a' }] },
  },
  'tun-address-x': { inbounds: [{ type: 'tun', inet4_address: '172.19.0.1/30' }] },
  'tun-gso': { inbounds: [{ type: 'tun', address: '172.19.0.1/30', gso: true }] },
  'special-outbounds': { outbounds: [node, { type: 'dns', tag: 'dns' }] },
  'inbound-options': { inbounds: [{ ...listener, sniff: true }] },
  'destination-override-fields': { outbounds: [{ type: 'direct', tag: 'd', override_port: 1 }] },
  'wireguard-outbound': {
    outbounds: [
      {
        type: 'wireguard',
        tag: 'w',
        server: '192.0.2.1',
        server_port: 1,
        local_address: '10.0.0.2/32',
        private_key: key,
        peer_public_key: key,
      },
    ],
  },
  'legacy-ech-options': {
    outbounds: [
      {
        type: 'http',
        tag: 'h',
        server: '192.0.2.1',
        server_port: 1,
        tls: { enabled: true, server_name: 'x.test', ech: { enabled: true, pq_signature_schemes_enabled: true } },
      },
    ],
  },
  'legacy-dns-transport': { dns: { servers: [{ tag: 'u', address: 'udp://192.0.2.53' }] } },
  'legacy-dns-fakeip-options': dns({ fakeip: { enabled: true, inet4_range: '198.18.0.0/15' } }),
  'outbound-dns-rule-item': dns({}, { domain: undefined, outbound: 'any' }),
  'missing-domain-resolver': {
    dns: { servers: [local, { ...local, tag: 'm' }] },
    outbounds: [{ ...node, server: 'x.test' }],
  },
  'legacy-domain-strategy-options': { outbounds: [{ ...node, server: 'x.test', domain_strategy: 'ipv4_only' }] },
  'route-action-direct': { outbounds: [node], route: { rules: [{ port: 1, action: 'direct' }] } },
  'legacy-rule-set-download-detour': remote({ download_detour: 'd' }),
  'implicit-default-http-client': remote({}),
  'dns-rule-rule-set-ip-cidr-accept-empty': {
    ...dns({}, { rule_set: 'r', rule_set_ip_cidr_accept_empty: true }),
    route: { rule_set: inline },
  },
  'legacy-dns-address-filter': dns({}, { ip_cidr: '192.0.2.0/24' }),
  'legacy-dns-rule-strategy': dns({}, { strategy: 'ipv4_only' }),
  'legacy-dns-with-new-rules': {
    outbounds: [node],
    dns: {
      servers: [local],
      rules: [
        { query_type: 'A', server: 'l' },
        { ip_cidr: '192.0.2.0/24', server: 'l' },
      ],
    },
  },
  'independent-dns-cache': dns({ independent_cache: true }),
  'store-rdrc': { experimental: { cache_file: { enabled: true, path: `${place.dir}/rdrc.db`, store_rdrc: true } } },
};

/** How engines say that it is for what it is, and not for something else. */
const refusal =
  /deprecated|removed|unknown rule action|require match_response|unknown field "server"|ENABLE_DEPRECATED/;

/** Not in these builds (`with_acme`). */
const untried = new Set(['inline-acme-options']);
/** Said by the engine's documentation only: nothing is written when it is used. */
const silent = new Set(['inbound-options sing-box 1.12.23']);
/** What cannot be reached ends the engine in any version; what it says before that is what counts. */
const unreachable = new Set(['legacy-rule-set-download-detour', 'implicit-default-http-client']);

test('every row is tried', () => {
  const names = deprecationTable.map(({ name }) => name).filter((name) => !untried.has(name));
  expect(Object.keys(samples).toSorted()).toEqual(names.toSorted());
});

describe.each(engines)('$name', (engine) => {
  test.each(Object.entries(samples))('%s', async (name, sample) => {
    const found = deprecationsIn(sample, engine.target.version);
    const { said, isStarted } = await saidBy(engine, { log: { level: 'info' }, ...sample });
    const [effect] = found.map((one) => one.effect);
    expect(found.map((one) => one.name)).toEqual(effect === undefined ? [] : [name]);
    if (effect === 'fails')
      expect({ said, isStarted }).toEqual({ said: expect.stringMatching(refusal), isStarted: false });
    else expect(said.includes('FATAL')).toBe(unreachable.has(name));
    const warns = effect === 'warns' && !silent.has(`${name} ${engine.name}`);
    expect({ said, isWarned: /^WARN.*deprecated/m.test(said) }).toMatchObject({ isWarned: warns });
  });
});
