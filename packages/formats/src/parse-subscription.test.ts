import { hash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { ProblemError } from '@sbox/core';
import { describe, expect, test } from '@jest/globals';
import { parseSubscription, uniqueTags, type Limits } from './index.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const parse = (input: string | Uint8Array, limits: Partial<Limits> = {}): ReturnType<typeof parseSubscription> =>
  parseSubscription(input, { sha256, limits });

function problemOf(run: () => unknown): ProblemError {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('no problem');
}

const link = (n: number): string => `trojan://pw@n${n}.example.net:443#N${n}`;
const links = (count: number): string => Array.from({ length: count }, (_, n) => link(n)).join('\n');

describe('encodings', () => {
  test.each([
    ['UTF-8', Buffer.from(link(1))],
    ['UTF-8 with a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(link(1))])],
    ['UTF-16 little endian', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(link(1), 'utf16le')])],
    ['UTF-16 big endian', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(link(1), 'utf16le').swap16()])],
  ])('%s', (_, bytes) => {
    expect(parse(bytes).nodes).toMatchObject([{ tag: 'N1', server: 'n1.example.net' }]);
  });

  test('text with a byte order mark', () => {
    expect(parse(`\ufeff${link(1)}`).nodes).toHaveLength(1);
  });
});

describe('limits', () => {
  test('the size of the document', () => {
    const error = problemOf(() => parse(links(2), { maxBytes: 20 }));
    expect([error.code, error.details]).toEqual(['subscription.too-large', { max_bytes: 20 }]);
  });

  test('the size of a text is that of its bytes', () => {
    const text = `${link(1)}жжж`;
    const maxBytes = Buffer.byteLength(text);
    expect(parse(text, { maxBytes }).nodes).toHaveLength(1);
    expect(problemOf(() => parse(text, { maxBytes: maxBytes - 1 })).code).toBe('subscription.too-large');
  });

  test('the number of nodes', () => {
    expect(parse(links(3), { maxNodes: 3 }).nodes).toHaveLength(3);
    const error = problemOf(() => parse(links(4), { maxNodes: 3 }));
    expect([error.code, error.details]).toEqual(['subscription.too-many-nodes', { max_nodes: 3 }]);
  });

  test('the number of lines that are no nodes', () => {
    const lines = (count: number): string => `${link(1)}\n${'trojan://\n'.repeat(count)}`;
    expect(parse(lines(3), { maxNodes: 3 }).rejected).toHaveLength(3);
    expect(problemOf(() => parse(lines(4), { maxNodes: 3 })).code).toBe('subscription.too-many-nodes');
  });

  test('the length of a line, in bytes', () => {
    const long = `${link(1)}${'ж'.repeat(60)}`;
    const { nodes, rejected } = parse(`${long}\n${link(2)}`, { maxLineBytes: 100 });
    expect(nodes.map(({ tag }) => tag)).toEqual(['N2']);
    expect(rejected).toMatchObject([{ line: 1, code: 'node.line-too-long' }]);
  });

  test('the rejected lines that are listed: the last one counts the others', () => {
    const { rejected } = parse(`${'nothing\n'.repeat(9)}${link(1)}`, { maxRejected: 3 });
    expect(rejected.map(({ line }) => line)).toEqual([1, 2, 3]);
    expect(rejected.at(-1)?.reason).toMatch(/and 6 more/);
  });

  test('a name is cut between characters', () => {
    const [node] = parse(`trojan://pw@a.example.net:443#${'🚀'.repeat(100)}`).nodes;
    expect(node?.tag).toBe('🚀'.repeat(64));
  });

  test('aliases that multiply', () => {
    const levels = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`).join('\n');
    const bomb = `a0: &a0 [x]\n${levels}\nproxies:\n  - {name: A, type: ss, server: a.example.net, port: 1, z: *a9}\n  - {name: B, type: trojan, server: b.example.net, port: 1, password: p}\n`;
    const { nodes, rejected } = parse(bomb);
    expect(nodes.map(({ tag }) => tag)).toEqual(['B']);
    expect(rejected).toMatchObject([{ line: 12, code: 'node.malformed' }]);
  });

  test('the number of aliases', () => {
    const yaml = `a: &a {type: trojan, server: a.example.net, password: p}\nproxies:\n${'  - {<<: *a, port: 1}\n'.repeat(4)}`;
    expect(parse(yaml, { maxAliases: 4 }).nodes).toHaveLength(4);
    const error = problemOf(() => parse(yaml, { maxAliases: 3 }));
    expect([error.code, error.details]).toEqual(['subscription.too-many-aliases', { max_aliases: 3 }]);
  });

  test('merges that multiply', () => {
    const keys = Array.from({ length: 500 }, (_, n) => `k${n}: 1`).join(', ');
    const yaml = `a: &a {${keys}}\nproxies:\n${'  - {<<: *a, type: trojan}\n'.repeat(5_000)}`;
    expect(problemOf(() => parse(yaml)).code).toBe('subscription.too-many-aliases');
  });

  test.each([
    ['sing-box', (inner: string) => `{"outbounds": [{"type": "trojan", "x": ${inner}}]}`],
    ['Xray', (inner: string) => `{"outbounds": [{"protocol": "vless", "settings": ${inner}}]}`],
    ['SIP008', (inner: string) => `{"servers": [{"server_port": 1, "x": ${inner}}]}`],
    ['Clash as JSON', (inner: string) => `{"proxies": [{"name": "A", "x": ${inner}}]}`],
    ['Clash', (inner: string) => `proxies:\n  - {name: A, x: ${inner}}\n`],
  ])('the depth of %s', (_, document) => {
    const error = problemOf(() => parse(document('['.repeat(30) + ']'.repeat(30)), { maxDepth: 20 }));
    expect([error.code, error.details]).toEqual(['subscription.too-deep', { max_depth: 20 }]);
    expect(problemOf(() => parse(document('[]'), { maxDepth: 20 })).code).toBe('subscription.no-nodes');
  });

  test.each([
    ['Surge', '[Proxy]\n', (n: number, pad: string) => `N${n} = trojan, n${n}.example.net, 443, password=pw${pad}`],
    ['Quantumult X', '', (n: number, pad: string) => `trojan=n${n}.example.net:443, password=pw${pad}, tag=N${n}`],
    [
      'Clash lines',
      '',
      (n: number, pad: string) => `{name: N${n}, type: trojan, server: n${n}.example.net, port: 1, password: pw${pad}}`,
    ],
  ])('the length of a line of %s', (_, head, line) => {
    const { nodes, rejected } = parse(`${head}${line(1, 'x'.repeat(200))}\n${line(2, '')}`, { maxLineBytes: 100 });
    expect(nodes.map(({ tag }) => tag)).toEqual(['N2']);
    expect(rejected).toMatchObject([{ code: 'node.line-too-long' }]);
  });

  const long = 'x'.repeat(70_000);
  test.each([
    ['Clash', `{"proxies": [{"type": "trojan", "server": "a.example.net", "port": 1, "password": "${long}"}]}`],
    [
      'sing-box',
      `{"outbounds": [{"type": "trojan", "server": "a.example.net", "server_port": 1, "password": "${long}"}]}`,
    ],
    ['SIP008', `{"servers": [{"server": "a.example.net", "server_port": 1, "method": "none", "password": "${long}"}]}`],
    [
      'Xray',
      `{"outbounds": [{"protocol": "trojan", "settings": {"address": "a.example.net", "port": 1, "password": "${long}"}}]}`,
    ],
  ])('the length of an item of %s', (_, document) => {
    expect(problemOf(() => parse(document)).details).toMatchObject({ rejected: [{ code: 'node.line-too-long' }] });
  });

  test('the servers of one outbound of Xray', () => {
    const servers = Array.from(
      { length: 66 },
      (__, n) => `{"address": "n${n}.example.net", "port": 1, "password": "p"}`,
    );
    const { nodes, rejected } = parse(
      `{"outbounds": [{"protocol": "trojan", "settings": {"servers": [${servers.join(',')}]}}]}`,
    );
    expect(nodes).toHaveLength(64);
    expect(rejected).toMatchObject([{ code: 'node.malformed', reason: expect.stringContaining('66 servers') }]);
  });

  test.each([
    ['vmess', (inner: string) => `{"add":"a.example.net","port":1,"id":"u","x":${inner}}`],
    ['ssd', (inner: string) => `{"port":1,"encryption":"none","password":"p","servers":[{"server":"a","x":${inner}}]}`],
  ])('the depth of JSON in a link: %s', (scheme, json) => {
    const brackets = '['.repeat(20_000) + ']'.repeat(20_000);
    const text = `${scheme}://${Buffer.from(json(brackets)).toString('base64')}`;
    expect(problemOf(() => parse(text)).details).toMatchObject({ rejected: [{ code: 'node.malformed' }] });
  });

  test('many items on one line take no time', () => {
    const items = `{"type":"trojan","server":"a.example.net","server_port":1,"password":"p","x":"${'x'.repeat(300)}"}`;
    const start = performance.now();
    expect(parse(`{"outbounds":[${Array(20_000).fill(items).join(',')}]}`).nodes).toHaveLength(20_000);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('many nodes behind one large ShadowTLS outbound take no time', () => {
    const fields = Array.from({ length: 5_000 }, (__, n) => `"k${n}":1`).join(',');
    const nodes = Array(20_000).fill('{"type":"trojan","password":"p","detour":"f"}').join(',');
    const start = performance.now();
    const text = `{"outbounds":[{"type":"shadowtls","tag":"f","server":"a","server_port":1,${fields}},${nodes}]}`;
    expect(problemOf(() => parse(text)).code).toBe('subscription.no-nodes');
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('the notices that are kept', () => {
    const { metadata } = parse(`${link(1)}\n${'trojan://pw@a.example.net:443#Expire: 1\n'.repeat(9)}`, {
      maxNotices: 1,
    });
    expect(metadata.notices).toEqual(['Expire: 1']);
  });

  test('a chain of nodes', () => {
    const chain = (length: number): string =>
      Array.from({ length }, (_, n) => {
        const next = n + 1 < length ? `, dialer-proxy: N${n + 1}` : '';
        return `  - {name: N${n}, type: trojan, server: n${n}.example.net, port: 443, password: pw${next}}`;
      }).join('\n');
    expect(parse(`proxies:\n${chain(9)}\n`).rejected).toEqual([]);
    const { nodes, rejected } = parse(`proxies:\n${chain(10)}\n`);
    expect(nodes).toHaveLength(9);
    expect(rejected).toMatchObject([
      { line: 2, code: 'node.unsupported', reason: 'it dials through more than 8 nodes' },
    ]);
  });

  test('a JSON string of millions of escapes', () => {
    const text = `{"outbounds": ["${'\\"'.repeat(7_000_000)}"]}`;
    expect(problemOf(() => parse(text)).code).toBe('subscription.unknown-format');
  });

  test.each([
    ['blank lines', '\n'],
    ['spaces', ' '],
    ['comments', '#\n'],
    ['open brackets', '['],
    ['open maps', '{'],
    ['quotes', '{"outbounds":"\\"'],
    ['dashes', '- '],
    ['colons', 'proxies:\n'],
    ['base64 digits', 'QUJD'],
    ['opening comments', '/*'],
    ['nested lists', '{"outbounds":[['],
    ['percent signs', 'trojan://%ff%'],
    ['at signs', 'ss://@:@'],
    ['sections', '[Proxy]\n'],
    ['Surge settings', 'A = https, a, x, "b='],
    ['quotes of Surge', 'A = vmess, "\','],
    ['headers of Surge', 'A = https, a, 1, headers=":"\'|'],
    ['brackets of Loon', 'A = wireguard, peers=[{('],
    ['settings of Quantumult X', 'vmess=a:1, a="'],
    ['peers', '[Interface]\n[Peer]\n'],
    ['configurations', '[{"protocol":"vless","settings":{"vnext":['],
    ['facts', '#profile-title: base64:\n'],
    ['flow maps', 'proxies:\n  - {"a":\n'],
  ])('a megabyte of %s takes no time', (_, piece) => {
    const start = performance.now();
    expect(problemOf(() => parse(piece.repeat(1_000_000 / piece.length))).code).toMatch(/^subscription\./);
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe('compressed data that nobody unpacked', () => {
  test.each([
    ['gzip', gzipSync(link(1))],
    ['zstd', zstdCompressSync(link(1))],
    ['gzip in base64', gzipSync(link(1)).toString('base64')],
    ['zstd in base64', zstdCompressSync(link(1)).toString('base64')],
  ])('%s', (_, input) => {
    expect(problemOf(() => parse(input)).code).toBe('subscription.compressed');
  });
});

describe('detours', () => {
  const clash = (end: string): string =>
    `proxies:\n  - {name: A, type: trojan, server: a.example.net, port: 443, password: pw, dialer-proxy: B}\n  - {name: B, type: trojan, server: ${end}, port: 443, password: pw}\n`;

  test('are ids of nodes of the same list', () => {
    const [a, b] = parse(clash('b.example.net')).nodes;
    expect(a?.detour).toBe(b?.id);
    expect(b?.detour).toBeUndefined();
  });

  test('are part of what a node is: another way is another node', () => {
    const ids = ['b.example.net', 'c.example.net'].map((end) => parse(clash(end)).nodes[0]?.id);
    const alone = parse('trojan://pw@a.example.net:443').nodes[0]?.id;
    expect(new Set([...ids, alone]).size).toBe(3);
  });

  test('ShadowTLS is the same node from Clash and from sing-box', () => {
    const shadow = (server: string): string =>
      JSON.stringify({
        outbounds: [
          { type: 'shadowsocks', tag: 'A', method: 'aes-128-gcm', password: 'pw', detour: 'B' },
          {
            type: 'shadowtls',
            tag: 'B',
            server,
            server_port: 443,
            version: 3,
            password: 'sp',
            tls: { enabled: true, server_name: 'front.example.org' },
          },
        ],
      });
    const plugin =
      'proxies:\n  - {name: A, type: ss, server: a.example.net, port: 443, cipher: aes-128-gcm, password: pw, plugin: shadow-tls, plugin-opts: {host: front.example.org, password: sp, version: 3}}\n';
    const ids = [shadow('a.example.net'), plugin, shadow('b.example.net')].map((text) => parse(text).nodes[0]?.id);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
    const bare = parse('ss://aes-128-gcm:pw@a.example.net:443').nodes[0]?.id;
    expect(bare).not.toBe(ids[0]);
  });
});

describe('what is shown of a rejected line', () => {
  const textOf = (line: string): string | undefined => parse(`${line}\n${link(1)}`).rejected[0]?.text;

  test.each([
    [
      'vless://0b8c1d52-3a64-4f0e-9a77-5d2f6c1e8b90@a.example.net:0?pbk=secretkey#Name',
      'vless://***@a.example.net:0#Name',
    ],
    ['vmess://eyJpZCI6InNlY3JldCJ9', 'vmess://***'],
    ['ssr://c2VjcmV0#Name', 'ssr://***#Name'],
    ['Name = trojan, a.example.net, 0, password=hunter2', 'Name = trojan, a.example.net, 0, ***'],
    ['Name=trojan,a.example.net,0,"hunter2"', 'Name=trojan,a.example.net,0, ***'],
    ['trojan=a.example.net:0, password=hunter2, tag=A', 'trojan=a.example.net:0, password=***, tag=A'],
    ['something c2VjcmV0LXNlY3JldC1zZWNyZXQ=', 'something ***'],
  ])('%s', (line, shown) => {
    expect(textOf(line)).toBe(shown);
  });

  test('is short', () => {
    expect(textOf(`what ${'is this '.repeat(40)}`)).toHaveLength(80);
  });
});

describe('unique tags', () => {
  const named = (tags: readonly string[]): string[] =>
    uniqueTags(tags.map((tag, n) => ({ id: `n_${String(n).padStart(4, '0')}aaaabbbbcccc`, tag }))).map(
      ({ tag }) => tag,
    );

  test('the smallest id keeps the name, the others get a piece of theirs', () => {
    expect(named(['A', 'B', 'A', 'A'])).toEqual(['A', 'B', 'A 0002', 'A 0003']);
  });

  test('the order of the source changes no tag', () => {
    const nodes = ['c', 'a', 'b'].map((letter) => ({ id: `n_${letter.repeat(16)}`, tag: 'Same' }));
    const tagsById = (list: typeof nodes): [string, string][] =>
      uniqueTags(list)
        .map(({ id, tag }): [string, string] => [id, tag])
        .toSorted(([a], [b]) => (a < b ? -1 : 1));
    expect(tagsById(nodes.toReversed())).toEqual(tagsById(nodes));
  });

  test('a name that somebody else has is not given', () => {
    expect(named(['A 0001', 'A', 'A', 'A 0002'])).toEqual(['A 0001', 'A', 'A 0002aaaa', 'A 0002']);
  });

  test('many copies of one node', () => {
    const copies = Array.from({ length: 20_000 }, () => ({ id: 'n_aaaabbbbccccdddd', tag: 'A' }));
    const start = performance.now();
    expect(new Set(uniqueTags(copies).map(({ tag }) => tag)).size).toBe(20_000);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test('reserved names are never given', () => {
    expect(named(['direct', 'Auto'])).toEqual(['direct 0000', 'Auto 0001']);
  });
});
