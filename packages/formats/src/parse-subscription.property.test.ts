import { createHash } from 'node:crypto';
import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseSubscription, type ParsedSubscription } from './index.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const uuid = '0b8c1d52-3a64-4f0e-9a77-5d2f6c1e8b90';

const vmessJson = JSON.stringify({
  v: '2',
  ps: 'A',
  add: 'a.example.net',
  port: 443,
  id: uuid,
  net: 'ws',
  path: '/p?ed=1',
});

/** Inputs that look like what a provider sends, to be broken. */
const seeds: readonly string[] = [
  `ss://${base64('aes-128-gcm:pw')}@a.example.net:8388/?plugin=obfs-local%3Bobfs%3Dhttp#A`,
  `ss://${base64('aes-256-gcm:pw@[2001:db8::7]:443')}#B`,
  `vmess://${base64(vmessJson)}`,
  `vmess://${base64(`auto:${uuid}@a.example.net:443`)}?remarks=C&obfs=websocket&obfsParam=%7B%22Host%22%3A%22h%22%7D`,
  `vless://${uuid}@a.example.net:443?security=reality&pbk=key&sid=0a&type=ws&path=%2F%3Fed%3D9&ech=abc%2Bhttps%3A%2F%2Fd#D`,
  'trojan://pw@2001:db8::9:443?ws&wspath=%2Fx&alpn=h2,http/1.1#E',
  'hy2://u:p@a.example.net:443,5000-6000/?obfs=salamander&obfs-password=x&up=10mbps&hop-interval=5-9#F',
  `tuic://${uuid}:pw@a.example.net:443?congestion_control=bbr&disable_sni=1#G`,
  'wg://key@a.example.net?publickey=k&address=10.0.0.2&reserved=AAEC#H',
  'socks5://u:p@a.example.net:1080#I',
  `proxies:\n  - &x {name: A, type: ss, server: a.example.net, port: 1, cipher: aes-128-gcm, password: "1"}\n  - {<<: *x, name: B}\n`,
  `proxies:\n  - name: W\n    type: vmess\n    server: a.example.net\n    port: 443\n    uuid: ${uuid}\n    network: ws\n    ws-opts: {path: /a, headers: {Host: h}}\n`,
  `// c\n{"outbounds": [{"type": "vless", "tag": "V", "server": "a.example.net", "server_port": 443, "uuid": "u", "tls": {"enabled": true}}, {"type": "direct"},], "endpoints": [{"type": "wireguard", "address": ["10.0.0.2/32"], "private_key": "k", "peers": [{"address": "b.example.net", "port": 1, "public_key": "p", "reserved": [1, 2, 3]}]}]}`,
  '[Proxy]\nA = vmess, a.example.net, 443, username=u, ws=true, ws-headers="Host:"h" | X:"a,b"", tls=true\nB = wireguard, section-name=W\n[WireGuard W]\nprivate-key = k\nself-ip = 10.0.0.2\npeer = (public-key = p, endpoint = b.example.net:1, allowed-ips = "0.0.0.0/0")\n',
  'A=Shadowsocks,a.example.net,8388,aes-128-gcm,"p,w",obfs-name=http,shadow-tls-sni=s,shadow-tls-password=p,shadow-tls-version=3',
  '[server_local]\nvmess=a.example.net:443, method=none, password=u, obfs=wss, obfs-host=h, obfs-uri=/p, tag=A\n',
  '[Interface]\nPrivateKey = k\nAddress = 10.0.0.2/32\nJc = 1\n[Peer]\nPublicKey = p\nEndpoint = a.example.net:51820\n[Peer]\nPublicKey = q\nEndpoint = b.example.net:1\n',
  `[{"remarks": "X", "outbounds": [{"tag": "p", "protocol": "vless", "settings": {"vnext": [{"address": "a.example.net", "port": 443, "users": [{"id": "u"}]}]}, "streamSettings": {"network": "ws", "security": "tls", "wsSettings": {"path": "/p", "headers": {"Host": "h"}}, "sockopt": {"dialerProxy": "q"}}}, {"tag": "q", "protocol": "socks", "settings": {"servers": [{"address": "b.example.net", "port": 1}]}}]}]`,
  '{"version": 1, "servers": [{"remarks": "A", "server": "a.example.net", "server_port": 1, "method": "aes-128-gcm", "password": "p", "plugin": "obfs-local", "plugin_opts": "obfs=http"}], "bytes_used": 1, "bytes_remaining": 2}',
  'proxies:\n  - {name: A, type: trojan, server: a.example.net, port: 1, password: p, dialer-proxy: B}\n  - {name: B, type: ss, server: b.example.net, port: 1, cipher: none, plugin: shadow-tls, plugin-opts: {host: h, password: p}}\n',
  '{"outbounds": [{"type": "shadowsocks", "tag": "A", "method": "none", "detour": "B"}, {"type": "shadowtls", "tag": "B", "server": "a.example.net", "server_port": 1, "version": 2, "password": "p", "tls": {"enabled": true}}]}',
  '#profile-title: base64:QQ==\n//announce: b\n#subscription-userinfo: total=1e9; expire=2e9\ntrojan://p@a.example.net:1#Expire: 2031-01-02\ntrojan://p@a.example.net:1',
  `[${vmessJson}]`,
  '<!DOCTYPE html><html></html>',
];

/** Parses, and lets only problems of the right kind through. */
function parse(input: string | Uint8Array): ParsedSubscription | undefined {
  try {
    return parseSubscription(input, { sha256 });
  } catch (error) {
    if (!(error instanceof ProblemError) || !error.code.startsWith('subscription.')) throw error;
    return undefined;
  }
}

function expectSound(parsed: ParsedSubscription | undefined): void {
  if (parsed === undefined) return;
  expect(new Set(parsed.nodes.map(({ tag }) => tag)).size).toBe(parsed.nodes.length);
  for (const node of parsed.nodes) {
    expect(node.id).toMatch(/^n_[0-9a-z]{16}$/);
    expect(node.tag).toMatch(/^\P{Cc}{1,256}$/u);
    expect(node.server).toMatch(/^[^\s/@[\]]+$/);
    expect(node.server_port > 0 && node.server_port < 65_536).toBe(true);
  }
  for (const { line, reason } of parsed.rejected) {
    expect(line).toBeGreaterThan(0);
    expect(reason).not.toBe('');
  }
}

const pieces = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    '%',
    '%ff',
    '://',
    '@',
    ':',
    '?',
    '#',
    '&',
    '=',
    '[',
    ']',
    '{',
    '}',
    '"',
    '\n',
    '\r',
    '-',
    ',',
    '\\',
    '&a',
    '*a',
    '<<',
    '__proto__',
    '99999',
    '\u202e',
    '\ud800',
  ),
  fc.constantFrom(...seeds),
);

/** A seed with some places replaced, cut or doubled, and perhaps wrapped in base64. */
const broken = fc
  .record({
    seed: fc.constantFrom(...seeds),
    cuts: fc.array(fc.record({ at: fc.nat(400), drop: fc.nat(12), put: pieces }), { maxLength: 6 }),
    layers: fc.constantFrom(0, 0, 0, 1, 2, 3),
  })
  .map(({ seed, cuts, layers }) => {
    let text = seed;
    for (const { at, drop, put } of cuts) {
      const place = at % (text.length + 1);
      text = text.slice(0, place) + put + text.slice(place + drop);
    }
    for (let layer = 0; layer < layers; layer += 1) text = base64(text);
    return text;
  });

describe('whatever comes in', () => {
  test('any text gives nodes or a problem', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => expectSound(parse(text))),
      { numRuns: 2_000 },
    );
  });

  test('any bytes give nodes or a problem', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => expectSound(parse(bytes))),
      { numRuns: 2_000 },
    );
  });

  test('text made of the pieces of links and documents gives nodes or a problem', () => {
    const text = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (input) => expectSound(parse(input))),
      { numRuns: 2_000 },
    );
  });

  test('broken links and documents give nodes or a problem', () => {
    fc.assert(
      fc.property(broken, (text) => expectSound(parse(text))),
      { numRuns: 2_000 },
    );
  });

  test('the unbroken ones are read', () => {
    expect(seeds.map((seed) => parse(seed)?.nodes.length ?? 0)).toEqual([
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 2, 1, 1, 1, 2, 1, 2, 1, 1, 0, 0,
    ]);
  });
});

describe('ids', () => {
  const links = seeds.filter((seed) => /^\w+:\/\//.test(seed) && seed.includes('#'));
  const idOf = (link: string): string | undefined => parse(link)?.nodes[0]?.id;

  test('do not change with the name', () => {
    fc.assert(
      fc.property(fc.constantFrom(...links), fc.string({ unit: 'grapheme', maxLength: 40 }), (link, name) => {
        const renamed = link.replace(/#.*$/, () => `#x${encodeURIComponent(name.toWellFormed())}`);
        expect(idOf(renamed)).toBe(idOf(link));
      }),
      { numRuns: 500 },
    );
  });

  test('change with the server, the port and the password', () => {
    const ids = [
      'trojan://pw@a.example.net:443',
      'trojan://pw@b.example.net:443',
      'trojan://pw@a.example.net:444',
      'trojan://pw2@a.example.net:443',
      'trojan://pw@a.example.net:443?sni=c.example.net',
      'trojan://pw@a.example.net:443?type=ws',
      'trojan://pw@a.example.net:443?type=ws&path=/x',
      'trojan://pw@a.example.net:443?type=ws&host=h',
      'trojan://pw@a.example.net:443?type=grpc&serviceName=s',
    ].map(idOf);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('are the same for a link, Clash and sing-box', () => {
    const link = `vless://${uuid}@A.example.net:443?security=tls&sni=s.example.net&type=ws&host=h.example.net&path=/w#One`;
    const clash = `proxies:\n- {name: Two, type: vless, server: a.example.net, port: "443", uuid: ${uuid.toUpperCase()}, tls: true, servername: s.example.net, network: ws, ws-opts: {path: /w, headers: {host: h.example.net}}}`;
    const singBox = JSON.stringify({
      outbounds: [
        {
          type: 'vless',
          tag: 'Three',
          server: 'a.example.net',
          server_port: 443,
          uuid,
          tls: { enabled: true, server_name: 's.example.net' },
          transport: { type: 'ws', path: '/w', headers: { Host: 'h.example.net' } },
        },
      ],
    });
    expect(new Set([link, clash, singBox].map(idOf)).size).toBe(1);
  });
});
