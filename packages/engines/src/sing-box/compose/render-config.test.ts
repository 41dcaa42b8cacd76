import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import type { Node } from '@sbox/formats';
import * as fc from 'fast-check';
import { carelessNode, key16, key32 } from '../../../test/arbitrary-nodes.ts';
import { oneNode, sampleNodes } from '../../../test/sample-nodes.ts';
import { asRecord, recordsIn } from '../document.ts';
import { checkReferences, profileKey, renderSingBox, type EngineTarget, type LeftOut } from '../render.ts';

const target = (version: string, ...tags: string[]): EngineTarget => ({ engine: 'sing-box', version, tags });
const everyTag = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor'];
const newest = target('1.14.4', ...everyTag);

const leftOut = (node: Node, where: EngineTarget = newest): LeftOut | undefined =>
  renderSingBox([node, oneNode({ id: 'n_other', tag: 'other' })], where).left_out[0];
const written = (node: Node, where: EngineTarget = newest) =>
  recordsIn(renderSingBox([node], where).config['outbounds']).find((outbound) => outbound['tag'] === node.tag);

const problemOf = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
  return undefined;
};

describe('groups', () => {
  const { config, once } = renderSingBox(sampleNodes, newest);
  const outbounds = recordsIn(config['outbounds']);
  const tags = sampleNodes.map(({ tag }) => tag);

  test('one selector over everything, one urltest over the nodes, direct', () => {
    expect(outbounds.find(({ tag }) => tag === 'select')).toMatchObject({
      type: 'selector',
      outbounds: ['auto', ...tags],
      default: 'auto',
      interrupt_exist_connections: false,
    });
    expect(outbounds.find(({ tag }) => tag === 'auto')).toMatchObject({ type: 'urltest', outbounds: tags });
    expect(outbounds.at(-1)).toEqual({ type: 'direct', tag: 'direct' });
  });

  test('wireguard is an endpoint and may be open only once', () => {
    expect(recordsIn(config['endpoints']).map(({ type, tag }) => [type, tag])).toEqual([['wireguard', 'wg']]);
    expect(once).toEqual(['wg']);
    expect(asRecord(recordsIn(config['endpoints'])[0])).not.toHaveProperty('server');
  });

  test('nothing of the overlay is in it', () => {
    expect(config).not.toHaveProperty('experimental');
    expect(config['log']).toEqual({ level: 'warn', timestamp: true });
  });

  test('a node marked once is named under the tag it got', () => {
    const twins = [oneNode({ id: 'n_aaaaaaaa' }), oneNode({ id: 'n_bbbbbbbb', once: true })];
    expect(renderSingBox(twins, newest).once).toEqual(['one bbbb']);
  });
});

test('settings replace the defaults one by one', () => {
  const { config } = renderSingBox([oneNode({})], newest, {
    inbounds: [{ type: 'socks', tag: 's', listen: '::1', listen_port: 9 }],
    urltest: { url: 'http://127.0.0.1:8080/' },
    log_level: 'debug',
    dns: { strategy: 'ipv4_only' },
  });
  expect(config).toMatchObject({
    log: { level: 'debug' },
    dns: { strategy: 'ipv4_only', final: 'remote' },
    inbounds: [{ type: 'socks', tag: 's', listen: '::1', listen_port: 9 }],
  });
  expect(recordsIn(config['outbounds'])[1]).toMatchObject({
    url: 'http://127.0.0.1:8080/',
    interval: '5m',
    tolerance: 50,
  });
});

test.each([
  { urltest: { interval: '5' } },
  { urltest: { interval: '0' } },
  { urltest: { url: 'gopher://x' } },
  { urltest: { tolerance: -1 } },
])('refuses settings that the engine would refuse: %j', (settings) =>
  expect(problemOf(() => renderSingBox([oneNode({})], newest, settings))).toBe('settings.invalid'),
);

describe('targets', () => {
  test.each([
    ['1.10.7', 'engine.too-old'],
    ['0.9.0', 'engine.too-old'],
    ['unknown', 'engine.unsupported'],
    ['', 'engine.unsupported'],
  ])('%s is %s', (version, code) => {
    expect(problemOf(() => renderSingBox([oneNode({})], target(version)))).toBe(code);
  });

  test('a later line is rendered like the newest known', () => {
    expect(profileKey(target('1.16.0-beta.1', 'with_quic'))).toBe(profileKey(target('1.14.0', 'with_quic')));
    expect(profileKey(target('2.0.0'))).toBe(profileKey(target('1.14.4')));
  });

  test('the key holds what decides and nothing else', () => {
    expect(profileKey(target('1.14.4', 'with_clash_api', 'with_quic'))).toBe('sing-box 1.14 with_quic');
    expect(profileKey(target('1.14.1', 'with_quic', 'with_acme'))).toBe('sing-box 1.14 with_quic');
    expect(profileKey(target('1.13.0', 'with_quic'))).not.toBe(profileKey(target('1.14.0', 'with_quic')));
  });

  test('targets with one key get one text', () => {
    const one = renderSingBox(sampleNodes, target('1.13.0', 'with_wireguard', 'with_quic', 'with_clash_api'));
    const two = renderSingBox(sampleNodes, target('1.13.9', 'with_quic', 'with_wireguard'));
    expect(one.text).toBe(two.text);
  });
});

test('with no node left it says so, with the reasons', () => {
  const reality = sampleNodes.find(({ tag }) => tag === 'vless reality') as Node;
  const run = () => renderSingBox([reality], target('1.14.4'));
  expect(problemOf(run)).toBe('config.no-nodes');
  expect(run).toThrow('sing-box 1.14.4 can run none of 1 nodes');
  expect(() => renderSingBox([], newest)).toThrow('there are no nodes');
});

const reality = { enabled: true, utls: { enabled: true }, reality: { enabled: true, public_key: 'A'.repeat(43) } };
const ss = (method: string, password: string, more = {}): object => ({
  type: 'shadowsocks',
  method,
  password,
  tls: undefined,
  ...more,
});

describe('left out with a reason', () => {
  const cases: readonly (readonly [fields: object, code: string, reason: string, where?: EngineTarget])[] = [
    [
      { type: 'vless', uuid: 'u', password: undefined, encryption: 'mlkem768x25519plus.native.0rtt.x' },
      'node.unsupported',
      'sing-box has no encryption',
    ],
    [{ transport: { type: 'xhttp', path: '/' } }, 'node.unsupported', 'sing-box has no transport.type "xhttp"'],
    [{ transport: { type: 'mkcp' } }, 'node.unsupported', 'sing-box has no transport.type "mkcp"'],
    [{ tls: reality }, 'node.unsupported', 'tls.reality needs a build of sing-box with with_utls', target('1.14.4')],
    [{ tls: { ...reality, utls: undefined } }, 'node.invalid-value', 'tls has REALITY without uTLS'],
    [
      { tls: { ...reality, reality: { enabled: true, public_key: 'x' } } },
      'node.invalid-value',
      'tls.reality.public_key must be base64url of 32 bytes',
    ],
    [{ type: 'hysteria2' }, 'node.unsupported', 'hysteria2 needs a build of sing-box with with_quic', target('1.14.4')],
    [
      { type: 'hysteria2', obfs: { type: 'gecko', password: 'x' } },
      'node.unsupported',
      'obfs.type gecko needs sing-box 1.14 or newer',
      target('1.13.0', ...everyTag),
    ],
    [
      { type: 'hysteria2', obfs: { type: 'gecko', password: 'x', max_packet_size: 100 } },
      'node.invalid-value',
      'obfs has a smallest packet above its largest',
    ],
    [
      { type: 'tuic', uuid: '2dd61d93-75d8-4da4-ac0e-6aece7eac365', udp_over_stream: true, udp_relay_mode: 'quic' },
      'node.invalid-value',
      'udp_over_stream and udp_relay_mode exclude each other',
    ],
    [
      { type: 'ssh', password: undefined, tls: undefined, private_key: 'x' },
      'node.invalid-value',
      'private_key must be a private key as PEM text',
    ],
    [
      { type: 'ssh', password: undefined, tls: undefined, host_key: ['x'] },
      'node.invalid-value',
      'host_key[0] must be a public key in the form of OpenSSH',
    ],
    [{ tls: { enabled: true, certificate: ['x'] } }, 'node.invalid-value', 'tls.certificate must be PEM text'],
    [
      { tls: { ...reality, ech: { enabled: true } } },
      'node.invalid-value',
      'tls has REALITY and ECH, of which sing-box takes one',
    ],
    [{ type: 'hysteria2', tls: undefined }, 'node.missing-field', 'tls is missing'],
    [{ type: 'hysteria2', tls: { enabled: false } }, 'node.missing-field', 'tls is missing'],
    [{ type: 'tuic', uuid: 'no' }, 'node.invalid-value', 'uuid must be a UUID'],
    [
      { tls: { enabled: true, certificate_public_key_sha256: [key32] } },
      'node.unsupported',
      'tls.certificate_public_key_sha256 needs sing-box 1.13 or newer',
      target('1.12.0'),
    ],
    [ss('2022-blake3-aes-128-gcm', key32), 'node.invalid-value', 'password must be base64 keys of 16 bytes'],
    [
      ss('2022-blake3-chacha20-poly1305', `${key32}:${key32}`),
      'node.unsupported',
      'sing-box has no keys of several users with this method',
    ],
    [ss('chacha20', 'x'), 'node.unsupported', 'sing-box has no method "chacha20"'],
    [ss('aes-128-gcm', ''), 'node.missing-field', 'password is missing'],
    [ss('none', '', { plugin: 'shadow-tls' }), 'node.unsupported', 'sing-box has no plugin "shadow-tls"'],
    [
      ss('none', '', { plugin: 'v2ray-plugin', plugin_opts: 'mode=grpc' }),
      'node.unsupported',
      'sing-box has no such mode of v2ray-plugin',
    ],
    [ss('none', '', { tls: { enabled: true } }), 'node.unsupported', 'sing-box has no tls'],
    [{ detour: 'elsewhere' }, 'node.invalid-value', 'detour names a node that is not there'],
    [{ type: 'shadowsocksr' }, 'node.unsupported', 'sing-box has no shadowsocksr'],
    [{ type: 'constructor' }, 'node.unsupported', 'sing-box has no constructor'],
    [
      { type: 'naive' },
      'node.unsupported',
      'naive needs sing-box 1.13 or newer',
      target('1.12.0', 'with_naive_outbound'),
    ],
    [{ extra: { fm: '{"udp":[]}' } }, 'node.unsupported', "sing-box has no masks (Xray's fm)"],
    [
      {
        type: 'vless',
        uuid: 'u',
        password: undefined,
        tls: { enabled: true },
        transport: { type: 'quic' },
        extra: { headerType: 'srtp' },
      },
      'node.unsupported',
      "sing-box has no cipher and no camouflage for QUIC (Xray's quicSettings)",
    ],
    [
      { tls: { enabled: true }, transport: { type: 'http', header_type: 'http' } },
      'node.unsupported',
      'sing-box has HTTP/1.1 as camouflage only without TLS',
    ],
    [
      { extra: { 'ss-opts.enabled': 'true' } },
      'node.unsupported',
      "sing-box has no Shadowsocks inside Trojan (mihomo's ss-opts)",
    ],
    [{ server_port: 0 }, 'node.invalid-value', 'server_port must be a whole number from 1 to 65535'],
    [{ server: '[::1]' }, 'node.invalid-value', 'server must be a host name or an IP address'],
    [{ password: undefined }, 'node.missing-field', 'password is missing'],
    [
      { multiplex: { enabled: true, brutal: { enabled: true } } },
      'node.missing-field',
      'multiplex.brutal.up_mbps is missing',
    ],
  ];
  test.each(cases.map(([fields, code, reason, where = newest]) => [fields, code, reason, where] as const))(
    '%j',
    (fields, code, reason, where) => {
      expect(leftOut(oneNode(fields), where)).toEqual({ node_id: 'n_one', tag: 'one', code, reason });
    },
  );

  test('a pinned certificate is no reason while the name is verified, and one when it is all there is', () => {
    const pinned = { extra: { pinSHA256: 'ab:'.repeat(31).concat('ab') } };
    expect(leftOut(oneNode(pinned))).toBeUndefined();
    expect(leftOut(oneNode({ ...pinned, tls: { enabled: true, insecure: true } }))?.code).toBe('node.unsupported');
    // Some links call the browser that is imitated by this name.
    expect(
      leftOut(oneNode({ extra: { fingerprint: 'chrome' }, tls: { enabled: true, insecure: true } })),
    ).toBeUndefined();
  });

  test('no secret is in a reason', () => {
    fc.assert(
      fc.property(fc.array(carelessNode, { maxLength: 20 }), (nodes) => {
        const { left_out } = renderSingBox([oneNode({ id: 'n_fine' }), ...nodes], newest);
        for (const { reason } of left_out) for (const secret of [key32, key16]) expect(reason).not.toContain(secret);
      }),
      { numRuns: 50 },
    );
  });
});

describe('written', () => {
  test('what is switched off is not written', () => {
    const node = oneNode({
      multiplex: { enabled: false, strange: 1 },
      tls: { enabled: true, utls: { enabled: false } },
    });
    expect(written(node, target('1.14.4'))).toEqual({
      type: 'trojan',
      tag: 'one',
      server: 'example.test',
      server_port: 443,
      password: 'x',
      tls: { enabled: true, server_name: 'example.test' },
    });
  });

  test('what only tunes is left off where the engine lacks it', () => {
    const hopping = oneNode({ type: 'hysteria2', server_ports: ['1:2'], hop_interval: '15s', hop_interval_max: '30s' });
    expect(written(hopping)).toHaveProperty('hop_interval_max', '30s');
    expect(written(hopping, target('1.13.0', ...everyTag))).not.toHaveProperty('hop_interval_max');
    expect(written(oneNode({ type: 'anytls', tcp_fast_open: true }))).not.toHaveProperty('tcp_fast_open');
  });

  test('the order of the fields of a node does not matter', () => {
    const node = oneNode({});
    const turn = (fields: object): object => Object.fromEntries(Object.entries(fields).toReversed());
    const turned = turn({ ...node, tls: turn(node.tls ?? {}) }) as Node;
    expect(renderSingBox([turned], newest).text).toBe(renderSingBox([node], newest).text);
  });

  test('names of several subscriptions do not clash, with each other or with the groups', () => {
    const nodes = ['select', 'auto', 'direct', 'a', 'a'].map((tag, index) =>
      oneNode({ id: `n_${index}abcdefgh`, tag }),
    );
    const { config } = renderSingBox(nodes, newest);
    expect(checkReferences(config)).toEqual([]);
  });

  test('the same nodes give the same text, and never a finding', () => {
    fc.assert(
      fc.property(
        fc.array(carelessNode, { maxLength: 20 }),
        fc.constantFrom('1.12.0', '1.13.0', '1.14.0'),
        (nodes, version) => {
          // Fixed ports are a node's own doing, and only a second such node doubles them.
          const all = [
            oneNode({ id: 'n_fine' }),
            ...nodes.map((node) => ({ ...node, listen_port: undefined }) as unknown as Node),
          ];
          const before = structuredClone(all);
          const rendered = renderSingBox(all, target(version, ...everyTag));
          expect(renderSingBox(all, target(version, ...everyTag)).text).toBe(rendered.text);
          expect(JSON.parse(rendered.text)).toEqual(rendered.config);
          expect(checkReferences(rendered.config)).toEqual([]);
          expect(all).toEqual(before);
        },
      ),
      { numRuns: 50 },
    );
  });
});
