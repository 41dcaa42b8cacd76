import { describe, expect, test } from '@jest/globals';
import { parseSubscription, writeSubscription, type Node } from '../index.ts';
import { sha256 } from '../testing/golden-cases.ts';

const read = (text: string): readonly Node[] => parseSubscription(text, { sha256 }).nodes;
const jsonOf = (nodes: readonly Node[]): unknown => JSON.parse(writeSubscription(nodes, 'sing-box').text);

describe('Clash', () => {
  test('has one proxy on a line, and quotes what looks like something else', () => {
    const nodes = read(
      'trojan://0088@a.example.net:443?sni=s.example.org&type=grpc&serviceName=no#yes\nss://aes-128-gcm:1e3@192.0.2.7:1#🇩🇪 Berlin',
    );
    expect(writeSubscription(nodes, 'clash')).toEqual({
      text: [
        'proxies:',
        '  - {name: "yes", type: trojan, server: a.example.net, port: 443, sni: s.example.org, grpc-opts: {grpc-service-name: "no"}, password: "0088", network: grpc, udp: true}',
        '  - {name: "🇩🇪 Berlin", type: ss, server: "192.0.2.7", port: 1, cipher: aes-128-gcm, password: "1e3", udp: true}',
        '',
      ].join('\n'),
      tags: ['yes', '🇩🇪 Berlin'],
      left_out: [],
      warnings: [],
    });
  });

  test('names a setting that it has no place for', () => {
    const [node] = read('ssh://root:pw@a.example.net#S');
    const { text, warnings } = writeSubscription([{ ...node, connect_timeout: '5s' } as Node], 'clash');
    expect(text).toContain('type: ssh');
    expect(warnings).toEqual([{ node_id: node?.id, tag: 'S', fields: ['connect_timeout'] }]);
  });

  test('is an empty list without nodes', () => {
    expect(writeSubscription([], 'clash').text).toBe('proxies: []\n');
  });
});

describe('sing-box', () => {
  test('has ShadowTLS as an outbound of its own, whose tag no node has', () => {
    const nodes = read(
      [
        'ss://aes-128-gcm:pw@a.example.net:443?plugin=shadow-tls%3Bhost%3Ds.example.org%3Bpassword%3Dsp%3Bversion%3D3#A',
        'trojan://pw@b.example.net:443#A shadowtls',
      ].join('\n'),
    );
    const { outbounds } = jsonOf(nodes) as { outbounds: readonly { readonly tag: string; readonly detour?: string }[] };
    expect(outbounds).toMatchObject([
      { type: 'shadowsocks', tag: 'A', method: 'aes-128-gcm', detour: 'A shadowtls' },
      { type: 'shadowtls', tag: 'A shadowtls', server: 'a.example.net', server_port: 443, version: 3, password: 'sp' },
      { type: 'trojan', server: 'b.example.net' },
    ]);
    expect(new Set(outbounds.map(({ tag }) => tag)).size).toBe(3);
  });

  test('has WireGuard among the endpoints', () => {
    expect(jsonOf(read('wg://key@a.example.net?publickey=pub&address=10.0.0.2#W'))).toEqual({
      outbounds: [],
      endpoints: [
        {
          type: 'wireguard',
          tag: 'W',
          address: ['10.0.0.2/32'],
          private_key: 'key',
          peers: [{ address: 'a.example.net', port: 51_820, public_key: 'pub', allowed_ips: ['0.0.0.0/0', '::/0'] }],
        },
      ],
    });
  });

  test('gets no field that it does not know, and the settings of other formats are named', () => {
    const { text, warnings } = writeSubscription(
      read('trojan://pw@a.example.net:443?spx=%2F&routing_mark=7#T'),
      'sing-box',
    );
    expect(JSON.parse(text)).toEqual({
      outbounds: [
        {
          type: 'trojan',
          tag: 'T',
          server: 'a.example.net',
          server_port: 443,
          password: 'pw',
          tls: { enabled: true },
          routing_mark: 7,
        },
      ],
      endpoints: [],
    });
    expect(warnings).toMatchObject([{ tag: 'T', fields: ['extra.spx'] }]);
  });
});

describe('nodes that dial through another one', () => {
  const chain = read(
    [
      'proxies:',
      '  - {name: First, type: trojan, server: a.example.net, port: 443, password: pw}',
      '  - {name: Second, type: trojan, server: b.example.net, port: 443, password: pw, dialer-proxy: First}',
      '  - {name: Third, type: trojan, server: c.example.net, port: 443, password: pw, dialer-proxy: Second}',
    ].join('\n'),
  );

  test('name it in the documents', () => {
    expect(writeSubscription(chain, 'clash').text).toContain('dialer-proxy: First');
    expect(jsonOf(chain)).toMatchObject({ outbounds: [{ tag: 'First' }, { detour: 'First' }, { detour: 'Second' }] });
    expect(read(writeSubscription(chain, 'clash').text)).toEqual(chain);
  });

  test('go with it when it is left out', () => {
    const [first, ...others] = chain;
    const { left_out } = writeSubscription([{ ...first, type: 'juicity', uuid: 'u' } as Node, ...others], 'clash');
    expect(left_out.map(({ tag, reason }) => `${tag}: ${reason}`)).toEqual([
      'First: mihomo has no proxies of type juicity',
      'Second: it dials through "First", which is left out',
      'Third: it dials through "Second", which is left out',
    ]);
    expect(writeSubscription(others, 'clash').left_out[0]?.reason).toBe(
      'it dials through a node that is not in this list',
    );
  });
});

test('base64 is that of the links', () => {
  const nodes = read('trojan://pw@a.example.net:443#🇩🇪');
  const { text } = writeSubscription(nodes, 'base64');
  expect(Buffer.from(text, 'base64').toString()).toBe(writeSubscription(nodes, 'links').text);
});

test('nodes of several subscriptions with one name get names of their own', () => {
  const nodes = [...read('trojan://pw@a.example.net:443#T'), ...read('trojan://pw@b.example.net:443#T')];
  expect(new Set(read(writeSubscription(nodes, 'links').text).map(({ tag }) => tag)).size).toBe(2);
});
