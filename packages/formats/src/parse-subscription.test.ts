import { hash } from 'node:crypto';
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

  test('the number of nodes', () => {
    expect(parse(links(3), { maxNodes: 3 }).nodes).toHaveLength(3);
    expect(problemOf(() => parse(links(4), { maxNodes: 3 })).code).toBe('subscription.too-large');
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
    ['flow maps', 'proxies:\n  - {"a":\n'],
  ])('a megabyte of %s takes no time', (_, piece) => {
    const start = performance.now();
    expect(problemOf(() => parse(piece.repeat(1_000_000 / piece.length))).code).toMatch(/^subscription\./);
    expect(performance.now() - start).toBeLessThan(5_000);
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
    ['Name = trojan, a.example.net, 443, password=hunter2', 'Name = trojan, a.example.net, 443, password=***'],
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
