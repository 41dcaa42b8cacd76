import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from '@jest/globals';
import { adviceFor } from '../src/sing-box/checks/advise.ts';
import { checkReferences } from '../src/sing-box/checks/check-references.ts';
import { plainText } from '../src/sing-box/run.ts';
import { createWorkplace, freePort, pinned } from './real-engine.ts';

const place = createWorkplace();
afterAll(() => place.remove());

async function saidBy(config: object): Promise<string> {
  const child = place.start(pinned, JSON.stringify(config));
  const exited = once(child, 'exit');
  let said = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    said += `${plainText(line)}\n`;
    if (line.includes('sing-box started')) break;
  }
  if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, 'SIGKILL');
  await exited;
  return said;
}

const node = { type: 'socks', tag: 'a', server: '192.0.2.1', server_port: 1 };
const local = { type: 'local', tag: 'l' };
const group = (tag: string, ...outbounds: string[]) => ({ type: 'selector', tag, outbounds });
const listener = { listen: '127.0.0.1', listen_port: 0 };
const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
const peer = { address: '192.0.2.1', port: 1, public_key: key(8), allowed_ips: ['0.0.0.0/0'] };
const remote = { type: 'remote', tag: 'r', format: 'binary', url: 'http://127.0.0.1:1/r.srs' };

/** What the engine's check lets through, and where we say it is. */
const fatal: readonly (readonly [what: string, config: object, path: string])[] = [
  ['a missing member', { outbounds: [node, group('s', 'a', 'nope')] }, 'outbounds[1].outbounds[1]'],
  [
    'a missing member of a urltest',
    { outbounds: [node, { ...group('s', 'nope'), type: 'urltest' }] },
    'outbounds[1].outbounds[0]',
  ],
  [
    'a default that is no member',
    { outbounds: [node, { ...group('s', 'a'), default: 'nope' }] },
    'outbounds[1].default',
  ],
  ['groups in a circle', { outbounds: [group('x', 'y'), group('y', 'x')] }, 'outbounds[1].outbounds[0]'],
  ['a missing final outbound', { outbounds: [node], route: { final: 'nope' } }, 'route.final'],
  ['a missing detour', { outbounds: [{ ...node, detour: 'nope' }] }, 'outbounds[0].detour'],
  [
    'a missing detour of an endpoint',
    {
      endpoints: [
        { type: 'wireguard', tag: 'w', address: ['10.0.0.2/32'], private_key: key(7), peers: [peer], detour: 'nope' },
      ],
    },
    'endpoints[0].detour',
  ],
  ['a missing final DNS server', { outbounds: [node], dns: { servers: [local], final: 'nope' } }, 'dns.final'],
  [
    'a missing detour of DNS',
    { dns: { servers: [{ type: 'udp', tag: 'u', server: '192.0.2.1', detour: 'nope' }] } },
    'dns.servers[0].detour',
  ],
  [
    'a missing resolver of DNS',
    { dns: { servers: [{ type: 'udp', tag: 'u', server: 'x.test', domain_resolver: 'nope' }] } },
    'dns.servers[0].domain_resolver',
  ],
  [
    'DNS through an outbound that does nothing',
    {
      outbounds: [{ type: 'direct', tag: 'd' }],
      dns: { servers: [{ type: 'udp', tag: 'u', server: '192.0.2.1', detour: 'd' }] },
    },
    'dns.servers[0].detour',
  ],
  [
    'a missing rule-set',
    { outbounds: [node], route: { rules: [{ rule_set: 'nope', outbound: 'a' }] } },
    'route.rules[0].rule_set',
  ],
  [
    'a missing preference',
    { outbounds: [node], route: { rules: [{ preferred_by: ['nope'], outbound: 'a' }] } },
    'route.rules[0].preferred_by[0]',
  ],
  ['a missing HTTP client', { outbounds: [node], route: { default_http_client: 'nope' } }, 'route.default_http_client'],
  [
    'a missing HTTP client of a rule-set',
    { outbounds: [node], route: { rule_set: [{ ...remote, http_client: 'nope' }] } },
    'route.rule_set[0].http_client',
  ],
  [
    'a missing certificate provider',
    { inbounds: [{ type: 'http', tag: 'h', ...listener, tls: { enabled: true, certificate_provider: 'nope' } }] },
    'inbounds[0].tls.certificate_provider',
  ],
];

describe('what only ends the engine when it starts', () => {
  test.each(fatal)('%s', async (_, config, path) => {
    expect(place.check(pinned, JSON.stringify(config))).toBeUndefined();
    const said = await saidBy(config);
    expect(said).toContain('FATAL');
    expect(said).not.toContain('sing-box started');
    expect(checkReferences(config).map((finding) => finding.path)).toEqual([path]);
  });

  test('a port twice, also that of the control API', async () => {
    const listen_port = await freePort();
    const inbound = { type: 'mixed', tag: 'm', listen: '127.0.0.1', listen_port };
    const twice = { inbounds: [inbound, { ...inbound, tag: 'n' }] };
    const control = {
      inbounds: [inbound],
      experimental: { clash_api: { external_controller: `127.0.0.1:${listen_port}` } },
    };
    for (const config of [twice, control]) {
      expect(place.check(pinned, JSON.stringify(config))).toBeUndefined();
      expect(await saidBy(config)).toContain('address already in use');
      expect(checkReferences(config).map(({ code }) => code)).toEqual(['port.duplicate']);
    }
  });
});

/** The engine runs, and something fails when it is used. */
const later: readonly (readonly [what: string, config: object, path: string])[] = [
  [
    'a rule to nowhere',
    { outbounds: [node], route: { rules: [{ port: 1, outbound: 'nope' }] } },
    'route.rules[0].outbound',
  ],
  [
    'a DNS rule to nowhere',
    { outbounds: [node], dns: { servers: [local], rules: [{ domain: 'x', server: 'nope' }] } },
    'dns.rules[0].server',
  ],
  [
    'a rule that resolves nowhere',
    { outbounds: [node], route: { rules: [{ action: 'resolve', server: 'nope' }] } },
    'route.rules[0].server',
  ],
  [
    'a listener that hands on to nobody',
    { inbounds: [{ type: 'mixed', tag: 'm', ...listener, detour: 'nope' }] },
    'inbounds[0].detour',
  ],
  [
    'a handshake by a missing way',
    {
      inbounds: [
        {
          type: 'shadowtls',
          tag: 's',
          ...listener,
          version: 3,
          users: [{ password: 'x' }],
          handshake: { server: '192.0.2.1', server_port: 443, detour: 'nope' },
        },
      ],
    },
    'inbounds[0].handshake.detour',
  ],
  [
    'a clock by a missing way',
    { outbounds: [node], ntp: { enabled: true, server: '192.0.2.9', detour: 'nope' } },
    'ntp.detour',
  ],
  [
    'an HTTP client by a missing way',
    { outbounds: [node], http_clients: [{ tag: 'h', detour: 'nope' }] },
    'http_clients[0].detour',
  ],
];

test.each(later)('the engine runs with %s', async (_, config, path) => {
  expect(await saidBy(config)).toContain('sing-box started');
  expect(checkReferences(config).map((finding) => finding.path)).toEqual([path]);
});

test('a remote rule-set that does not answer ends the engine, and is advised against', async () => {
  const config = { outbounds: [node], route: { rule_set: [remote], rules: [{ rule_set: 'r', outbound: 'a' }] } };
  expect(place.check(pinned, JSON.stringify(config))).toBeUndefined();
  expect(await saidBy(config)).toContain('FATAL');
  expect(checkReferences(config)).toEqual([]);
  expect(adviceFor(config)).toMatchObject([{ code: 'rule-set.remote', path: 'route.rule_set[0].url' }]);
});

test('what can take nothing is advised against', () => {
  const rules = [
    { inbound: 'nope', outbound: 'a' },
    { domain_suffix: ['Example.test'], outbound: 'a' },
    { action: 'reject' },
    { port: 1, outbound: 'a' },
  ];
  expect(adviceFor({ outbounds: [node], route: { rules } }).map(({ code, path }) => `${code} ${path}`)).toEqual([
    'inbound.missing route.rules[0].inbound',
    'rule.never route.rules[1].domain_suffix',
    'rule.unreachable route.rules[2]',
  ]);
  expect(
    adviceFor({
      inbounds: [{ tag: 'in' }],
      route: { rules: [{ action: 'sniff' }, { inbound: 'in', outbound: 'a' }, { outbound: 'a' }] },
    }),
  ).toEqual([]);
  expect(adviceFor(null)).toEqual([]);
});
