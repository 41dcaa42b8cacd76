import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isRedacted, redact, redactDocument, redactText } from './redact.ts';

test.each([
  ['https://user:pw@provider.test/sub?token=t', 'https://provider.test/***'],
  ['http://provider.test:8080/a', 'http://provider.test:8080/***'],
  ['http://[2001:db8::1]:80/a?b', 'http://[2001:db8::1]:80/***'],
  ['https://[2001:db8::1]/a', 'https://[2001:db8::1]/***'],
  ['https://provider.test', 'https://provider.test'],
  ['https://provider.test/', 'https://provider.test/'],
  ['https://provider.test?token=t', 'https://provider.test/***'],
  ['socks5://127.0.0.1:2080', 'socks5://127.0.0.1:2080'],
  ['trojan://secret@192.0.2.1:443?sni=a#Name', 'trojan://192.0.2.1:443/***'],
  ['vless://6ba7b810-9dad-11d1-80b4-00c04fd430c8@host.test:443', 'vless://host.test:443/***'],
  ['ss://YWVzLTI1Ni1nY206c2VjcmV0@192.0.2.1:8388#x', 'ss://192.0.2.1:8388/***'],
  ['ss://YWVzLTI1Ni1nY206c2VjcmV0QGhvc3Q6MQ==', 'ss://***'],
  ['vmess://eyJhZGQiOiJob3N0IiwiaWQiOiJzZWNyZXQifQ', 'vmess://***'],
  ['trojan://pa@ss@host.test:443', 'trojan://***'],
  ['ss://aes:pa/ss@host.test:1', 'ss://***'],
  ['at file:///opt/sbox/main.js:3:7', 'at file:///opt/sbox/main.js:3:7'],
  ['id 6BA7B810-9dad-11d1-80b4-00c04fd430c8.', 'id ***.'],
  ['Bearer sbox_pat_abc_def_ghi', 'Bearer sbox_pat_***'],
  ['sbox_join_a_b_c_d, sbox_svc_a_b_c', 'sbox_join_***, sbox_svc_***'],
  ['{"type":"trojan","password":"pa\\"ss","sni":"a"}', '{"type":"trojan","password":"***","sni":"a"}'],
  ['{"private_key": "k", "mtu": 1}', '{"private_key": "***", "mtu": 1}'],
  ['dial: auth_token=abc, user=me', 'dial: auth_token=***, user=me'],
  ['outbounds[0].password: json: cannot unmarshal', 'outbounds[0].password: json: cannot unmarshal'],
  ['nothing secret: 12:30 a/b', 'nothing secret: 12:30 a/b'],
  ['two https://a.test/x and "https://b.test/y"', 'two https://a.test/*** and "https://b.test/***"'],
])('%s', (text, shown) => {
  expect(redactText(text)).toBe(shown);
});

describe('values', () => {
  test('secret fields are hidden in every spelling and depth, others stay', () => {
    expect(
      redact({
        server: 'host.test',
        server_port: 443,
        Password: 'p',
        'private-key': 'k',
        pre_shared_key: '',
        token: null,
        auth: { user: 'u' },
        list: [{ uuid: 'u', tag: 't' }, 'https://a.test/secret'],
        on: true,
        obfs: 'a password of hysteria',
        protocol_param: 'u:p',
      }),
    ).toEqual({
      server: 'host.test',
      server_port: 443,
      Password: '***',
      'private-key': '***',
      pre_shared_key: '',
      token: null,
      auth: '***',
      list: [{ uuid: '***', tag: 't' }, 'https://a.test/***'],
      on: true,
      obfs: '***',
      protocol_param: '***',
    });
  });

  test('what is too deep is cut off, not followed', () => {
    const deep: Record<string, unknown> = {};
    deep['self'] = deep;
    expect(JSON.stringify(redact(deep))).toContain('***');
  });

  test('a long line takes no long time', () => {
    const started = performance.now();
    redactText('a.'.repeat(500_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('a secret never gets through, wherever it stands', () => {
    const secret = 's3cr3t-v4lue';
    const key = fc.constantFrom('password', 'uuid', 'private_key', 'pre-shared-key', 'Token', 'auth_token', 'short_id');
    const place = fc.oneof(
      key.map((name) => ({ [name]: secret })),
      fc.constantFrom('trojan', 'hysteria2', 'vless').map((scheme) => `${scheme}://${secret}@host.test:443?a=b#c`),
      fc.webUrl().map((url) => `${url}?token=${secret}`),
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        place,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('node')),
      ),
    })).node;
    fc.assert(
      fc.property(tree, (value) => {
        expect(JSON.stringify(redact(value)) ?? '').not.toContain(secret);
      }),
    );
  });
});

test('keys of engines that open something elsewhere are hidden too', () => {
  const shown = redact({
    endpoints: [{ type: 'tailscale', auth_key: 'tskey-auth' }],
    acme: { external_account: { mac_key: 'm' }, dns01_challenge: { api_token: 'a', access_key_secret: 's' } },
    tls: { client_key: ['-----BEGIN PRIVATE KEY-----'], key: ['-----BEGIN', 'line'] },
    ech: { key: '-----BEGIN ECH PRIVATE KEY-----' },
    services: [{ mesh_psk: 'm' }, { zone_token: 'a' }],
  });
  expect(JSON.stringify(shown)).not.toMatch(/tskey|"m"|"a"|"s"|BEGIN|line/);
  // Of a setting it is the name.
  expect(redact({ key: 'log_level' })).toEqual({ key: 'log_level' });
});

test('of the headers of a node only harmless ones are shown', () => {
  const node = {
    transport: { headers: { Host: ['a.example'], 'X-Key': 'hidden' } },
    extra_headers: { 'x-token': 'hidden' },
    user: 'hidden',
  };
  expect(JSON.stringify(redact(node))).not.toContain('hidden');
  expect(redact(node).transport.headers.Host).toEqual(['a.example']);
});

describe('addresses in documents', () => {
  test.each([
    'https://raw.githubusercontent.com/SagerNet/sing-geosite/rule-set/geosite-category-ru.srs',
    'https://raw.githubusercontent.com/Chocolate4U/Iran-sing-box-rules/rule-set/geoip-ir.srs',
    'https://cdn.jsdelivr.net/gh/MetaCubeX/meta-rules-dat@sing/geo/geosite/cn.srs',
    'https://www.gstatic.com/generate_204',
    'http://${name}:${port}/${path}',
    'https://1.1.1.1/dns-query',
    'tls://1.1.1.1',
  ])('%s stays', (url) => {
    expect(redactDocument({ url })).toEqual({ url });
    expect(JSON.stringify(redact({ url }))).toContain('***');
  });

  test.each([
    ['https://user:pw@rules.test/a.srs', 'https://rules.test/***'],
    ['https://${user}:${pass}@rules.test/a.srs', 'https://rules.test/***'],
    ['https://rules.test/a.srs?token=t', 'https://rules.test/***'],
    ['https://rules.test/sub/abc', 'https://rules.test/***'],
    ['https://rules.test/a1b2c3/a.srs', 'https://rules.test/***'],
    ['https://rules.test/x/aB3dE6gH9jK2/a.srs', 'https://rules.test/***'],
    ['https://rules.test/6ba7b810-9dad-11d1-80b4-00c04fd430c8/a.srs', 'https://rules.test/***'],
    ['https://rules.test/a%2Fb', 'https://rules.test/***'],
    ['https://rules.test/q8w7e6r5/a.srs', 'https://rules.test/***'],
    ['https://dns.test/2jmz7abc45', 'https://dns.test/***'],
    ['see https://rules.test/a and b', 'see https://rules.test/*** and b'],
    ['vless://secret@192.0.2.1:443 x', 'vless://192.0.2.1:443/*** x'],
    ['run --token=t now', 'run --token=*** now'],
    ['{"password": "p"}', '{"password": "***"}'],
    ['/ws/6ba7b810-9dad-11d1-80b4-00c04fd430c8', '/ws/***'],
    ['trojan://secret@192.0.2.1:443', 'trojan://192.0.2.1:443/***'],
    ['see https://rules.test/a', 'see https://rules.test/***'],
  ])('%s is hidden', (url, shown) => {
    expect(redactDocument({ url })).toEqual({ url: shown });
    expect([isRedacted(url), isRedacted(shown)]).toEqual([false, true]);
  });

  test.each(['*** best ***', 'a *** b', '***!', ''])('%j is what somebody wrote', (text) => {
    expect(isRedacted(text)).toBe(false);
  });

  test('a field that is secret is hidden, whatever it looks like', () => {
    expect(redactDocument({ password: 'https://a.test/b', headers: { 'x-key': 'k' } })).toEqual({
      password: '***',
      headers: { 'x-key': '***' },
    });
  });
});
