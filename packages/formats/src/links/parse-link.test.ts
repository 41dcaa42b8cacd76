import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { linkReaders, nodeId, parseLink, parseLinks, textHash, wrappedUrl } from '../index.ts';

const sha256Text = (text: string): string => hash('sha256', text, 'binary');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('links of several nodes', () => {
  const pairs = 'mierus://u:p@m.example.net?port=1000&protocol=TCP&port=2000-2001&protocol=UDP&profile=home';

  test('each pair of port and protocol is a node', () => {
    expect(parseLinks(pairs)).toMatchObject([
      { server_port: 1000, protocol: 'TCP' },
      { server_port: 2000, protocol: 'UDP', server_ports: ['2000:2001'] },
    ]);
  });

  test('one node is asked for and several are there', () => {
    expect(() => parseLink(pairs)).toThrow(expect.objectContaining({ code: 'node.malformed' }));
  });

  test('a bad one throws by itself', () => {
    const [good, bad] = linkReaders('mierus://u:p@m.example.net?port=1000&port=0');
    expect(good?.()).toMatchObject({ server_port: 1000 });
    expect(() => bad?.()).toThrow(expect.objectContaining({ code: 'node.invalid-port' }));
  });

  test('a link of one node has one reader', () => {
    expect(parseLinks('trojan://pw@t.example.net:443')).toEqual([parseLink('trojan://pw@t.example.net:443')]);
  });
});

describe('the address inside', () => {
  const address = 'https://panel.example.net/sub?token=a&b=1';
  test.each([
    ['escaped', `clash://install-config?url=${encodeURIComponent(address)}&name=Panel`],
    ['as it is', `clash://install-config?url=${address}&name=Panel`],
    ['in the path', `hiddify://import/${address}`],
    ['in base64', `sub://${base64(address)}#Panel`],
    ['two times', `shadowrocket://add/sub://${base64(address)}`],
    ['itself', address],
  ])('%s', (_, line) => expect(wrappedUrl(line)).toBe(address));

  test('of ssconf is reached by https', () => {
    expect(wrappedUrl('ssconf://keys.example.net/a/b.json#Key')).toBe('https://keys.example.net/a/b.json');
  });

  test.each([
    'trojan://pw@t.example.net:443',
    'https://user:pw@p.example.net:443',
    'hiddify://import/vless://u@v.example.net:443',
    'clash://install-config',
    `sub://${base64('hello')}`,
    'nothing',
  ])('there is none in %s', (line) => expect(wrappedUrl(line)).toBeUndefined());
});

/** Kept choices and exclusions of users hang on these: a change here is a change for everybody. */
test.each([
  ['ss://YWVzLTEyOC1nY206cHc@s.example.net:8388?plugin=obfs-local%3Bobfs%3Dhttp', 'n_1fgwhw8pety0wrkn'],
  [
    'vmess://eyJhZGQiOiJWLmV4YW1wbGUubmV0IiwicG9ydCI6NDQzLCJpZCI6IjBCOEMxRDUyLTNhNjQtNGYwZS05YTc3LTVkMmY2YzFlOGI5MCIsIm5ldCI6IndzIiwicGF0aCI6Ii93IiwiaG9zdCI6ImguZXhhbXBsZS5vcmciLCJ0bHMiOiJ0bHMifQ==',
    'n_tz3bcqj02r3d6td2',
  ],
  [
    'vless://u-1@v.example.net:443?security=reality&pbk=key&sni=www.example.org&type=grpc&serviceName=g',
    'n_zbmgse4272myxfxf',
  ],
  ['trojan://p%C3%A4ss%22@t.example.net:443?type=http&host=a.example.org,b.example.org', 'n_9yn80kmskfmnbymz'],
  ['hysteria2://pw@h.example.net:5000-6000?obfs=salamander&obfs-password=m', 'n_d7ark48ntwvb7k74'],
  ['tuic://u-1:pw@t.example.net:443', 'n_jyb6sbhn9ht9zg1q'],
  ['wg://priv@w.example.net?publickey=pub&address=10.0.0.2', 'n_ax04bmbfmthfb44s'],
  ['anytls://pw@a.example.net', 'n_ngy9b2b12dr58nnc'],
  ['socks5://user:pw@s.example.net:1080', 'n_58s1qv7bt64y6y0d'],
  ['http://user:pw@p.example.net:8080', 'n_eqn15g8qgejbgb8c'],
  ['hysteria://h.example.net:443?auth=pw', 'n_x4p80b4wavw0898a'],
  [
    'ss://YWVzLTEyOC1nY206cHc@s.example.net:8388?plugin=shadow-tls;host=w.example.org;password=sp;version=3',
    'n_bkgmkp9ekg4nr3jx',
  ],
  ['snell://key@s.example.net:6160?version=4', 'n_ch1hj1my2vdr4yn5'],
  ['hysteria2+realm://token@r.example.net/room?auth=pw', 'n_fnbx7rm22pb3hp7q'],
  ['wg://priv@w.example.net?publickey=pub&address=10.0.0.2&jc=4&h1=1', 'n_0y586ap3vtbqkah4'],
])('the id of %s stays', (line, id) => expect(nodeId(parseLink(line), sha256Text)).toBe(id));

test('who can hash only bytes gets the same ids', () => {
  const node = parseLink('trojan://p%C3%A4ss%22@t.example.net:443');
  expect(
    nodeId(
      node,
      textHash((bytes) => hash('sha256', bytes, 'buffer')),
    ),
  ).toBe(nodeId(node, sha256Text));
});
