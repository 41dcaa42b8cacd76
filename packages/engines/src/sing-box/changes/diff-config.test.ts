import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { soundConfig } from '../../../test/arbitrary-configs.ts';
import { diffConfigs } from './diff-config.ts';
import type { Json } from '../document.ts';

const node = (tag: string, more: Json = {}): Json => ({
  type: 'trojan',
  tag,
  server: `${tag}.test`,
  password: 'secret',
  ...more,
});
const group = (tag: string, ...outbounds: string[]): Json => ({ type: 'selector', tag, outbounds });
const config = (nodes: readonly Json[], more: Json = {}): Json => ({
  outbounds: [group('select', ...nodes.map(({ tag }) => String(tag))), ...nodes, { type: 'direct', tag: 'direct' }],
  dns: { servers: [{ type: 'local', tag: 'local' }], final: 'local' },
  inbounds: [{ type: 'mixed', tag: 'in', listen_port: 2080 }],
  route: {
    rules: [
      { domain_suffix: 'a.test', outbound: 'select' },
      { port: 53, action: 'hijack-dns' },
    ],
    final: 'select',
  },
  ...more,
});
const countries: Readonly<Record<string, string>> = { c: 'DE', d: 'DE', e: 'DE', f: 'NL' };
const describeNode = (tag: string): string | undefined => countries[tag];

test('says in one line what a person wants to know', () => {
  const before = config([node('a'), node('b')]);
  const after = config([node('a'), node('b'), node('c'), node('d'), node('e')], {
    route: { rules: [{ port: 53, action: 'hijack-dns' }], final: 'select' },
  });
  const diff = diffConfigs(before, after, { describeNode });
  expect(diff.summary).toBe('+3 nodes DE, 1 group changed, −1 rule, DNS unchanged');
  expect(diff.groups.changed).toEqual([
    { tag: 'select', fields: [], members_added: ['c', 'd', 'e'], members_removed: [] },
  ]);
  expect(diff.rules.removed).toEqual([{ index: 0, text: 'domain_suffix a.test -> select' }]);
});

test('counts by country where there are several', () => {
  const after = config([node('c'), node('f'), node('d'), node('g')]);
  expect(diffConfigs(config([]), after, { describeNode }).summary).toContain('+4 nodes (2 DE, 1 NL, 1 elsewhere)');
});

describe('a renamed node', () => {
  const rules = (outbound: string): Json => ({ rules: [{ port: 1, outbound }], final: 'select' });

  test('is the same in everything but its name, and changes no group and no rule', () => {
    const before = config([node('old', { server: 'x.test' })], { route: rules('old') });
    const after = config([node('new', { server: 'x.test' })], { route: rules('new') });
    const diff = diffConfigs(before, after);
    expect(diff.outbounds).toEqual({ added: [], removed: [], changed: [], renamed: [{ from: 'old', to: 'new' }] });
    expect(diff.summary).toBe('1 node renamed, DNS unchanged');
  });

  test('is known by its id when it changed too', () => {
    const ids = { before: new Map([['old', 'n_1']]), after: new Map([['new', 'n_1']]) };
    const diff = diffConfigs(config([node('old')]), config([node('new')]), { ids });
    expect(diff.outbounds.renamed).toEqual([{ from: 'old', to: 'new' }]);
    expect(diff.outbounds.changed).toEqual([{ tag: 'new', fields: ['server'] }]);
    expect(diff.summary).toBe('1 node renamed, 1 node changed, DNS unchanged');
  });

  test('two nodes that changed their names with each other are two changed ones', () => {
    const before = config([node('a', { server: '1' }), node('b', { server: '2' })]);
    const after = config([node('a', { server: '2' }), node('b', { server: '1' })]);
    expect(diffConfigs(before, after).summary).toBe('2 nodes changed, DNS unchanged');
  });
});

describe('rules', () => {
  const rule = (domain: string, outbound = 'select'): Json => ({ domain: [domain], outbound });
  const withRules = (...rules: Json[]): Json => config([node('a')], { route: { rules } });

  test('that moved, changed, came and went are told apart', () => {
    const before = withRules(rule('1'), rule('6'), rule('2'), rule('3'), rule('4'));
    const after = withRules(rule('4'), rule('1'), rule('6'), rule('2', 'direct'), rule('5'));
    expect(diffConfigs(before, after).rules).toEqual({
      added: [{ index: 4, text: 'domain 5 -> select' }],
      removed: [{ index: 3, text: 'domain 3 -> select' }],
      moved: [{ index: 0, from: 4, text: 'domain 4 -> select' }],
      changed: [{ index: 3, from: 2, text: 'domain 2 -> direct' }],
    });
  });

  test('twice the same rule is two rules', () => {
    expect(diffConfigs(withRules(rule('1'), rule('1')), withRules(rule('1'))).summary).toBe('−1 rule, DNS unchanged');
  });

  test('what a list became is what was there, with what came and without what went', () => {
    const lists = fc.array(fc.constantFrom('1', '2', '3', '4', '5'), { maxLength: 12 });
    fc.assert(
      fc.property(lists, lists, (old, now) => {
        const { added, removed, moved, changed } = diffConfigs(
          withRules(...old.map((d) => rule(d))),
          withRules(...now.map((d) => rule(d))),
        ).rules;
        expect(changed).toEqual([]);
        expect(now.length).toBe(old.length + added.length - removed.length);
        const [gone, came] = [
          new Set([...removed.map(({ index }) => index), ...moved.map(({ from }) => from)]),
          new Set([...added, ...moved].map(({ index }) => index)),
        ];
        expect(now.filter((_, index) => !came.has(index))).toEqual(old.filter((_, index) => !gone.has(index)));
      }),
    );
  });
});

test('DNS, listeners, rule-sets and the rest', () => {
  const before = config([node('a')], { log: { level: 'info' } });
  const after = {
    ...config([node('a')]),
    log: { level: 'warn' },
    dns: {
      servers: [
        { type: 'local', tag: 'local' },
        { type: 'udp', tag: 'r' },
      ],
      rules: [{ domain: 'x', server: 'r' }],
      final: 'r',
    },
    inbounds: [
      { type: 'mixed', tag: 'in', listen_port: 2099 },
      { type: 'tun', tag: 'tun' },
    ],
    route: { ...(before['route'] as Json), rule_set: [{ type: 'local', tag: 'ru' }] },
  };
  const diff = diffConfigs(before, after);
  expect(diff).toMatchObject({
    dns: { servers: { added: ['r'] }, rules: { added: [{ index: 0, text: 'domain x -> r' }] }, fields: ['final'] },
    inbounds: { added: ['tun'], changed: [{ tag: 'in', fields: ['listen_port'] }] },
    rule_sets: { added: ['ru'] },
    other: ['log.level'],
  });
  expect(diff.summary).toBe(
    '+1 rule-set, +1 inbound, 1 inbound changed, DNS changed (+1 server, +1 rule), 1 other setting changed',
  );
});

test('never says a secret', () => {
  const users = (password: string): Json => ({
    inbounds: [{ type: 'mixed', tag: 'in', users: [{ username: 'u', password }] }],
  });
  const api = (secret: string): Json => ({ experimental: { clash_api: { secret } } });
  const before = { ...config([node('a', { password: 'secret-1' })]), ...users('secret-2'), ...api('secret-3') };
  const after = { ...config([node('a', { password: 'secret-4' })]), ...users('secret-5'), ...api('secret-6') };
  const diff = diffConfigs(before, after);
  expect(diff.other).toEqual(['experimental.clash_api.secret']);
  expect(JSON.stringify(diff)).not.toMatch(/secret-\d/);
});

test('nothing differs from itself, whatever the order of its fields', () => {
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([key, item]) => [key, turned(item)]),
    );
  };
  fc.assert(
    fc.property(soundConfig, (one) => {
      expect(diffConfigs(one, turned(one)).summary).toBe('no changes');
    }),
  );
});

test.each([undefined, null, 'x', 7])('%j is an empty configuration', (nothing) => {
  expect(diffConfigs(nothing, nothing).summary).toBe('no changes');
});

test('names what came, went and changed, and never says a value', () => {
  const before = {
    outbounds: [
      { type: 'trojan', tag: 'a', password: 'old-secret', tls: { enabled: true, server_name: 'x', alpn: ['h2'] } },
      { type: 'trojan', tag: 'gone', password: 'secret' },
      { type: 'selector', tag: 's', outbounds: ['a', 'gone'] },
    ],
  };
  const after = {
    endpoints: [{ type: 'wireguard', tag: 'w', private_key: 'secret' }],
    outbounds: [
      { type: 'selector', tag: 's', outbounds: ['w', 'a'] },
      {
        tag: 'a',
        type: 'trojan',
        tls: { alpn: ['h2'], enabled: true, server_name: 'y', insecure: true },
        password: 'new-secret',
      },
    ],
  };
  const diff = diffConfigs(before, after);
  expect(diff.outbounds).toEqual({
    added: ['w'],
    removed: ['gone'],
    changed: [{ tag: 'a', fields: ['password', 'tls.insecure', 'tls.server_name'] }],
    renamed: [],
  });
  expect(diff.groups).toEqual({
    added: [],
    removed: [],
    changed: [{ tag: 's', fields: [], members_added: ['w'], members_removed: ['gone'] }],
  });
  expect(JSON.stringify(diff)).not.toContain('secret');
});

test('the order of fields is no change', () => {
  const one = { outbounds: [{ tag: 'a', type: 'http', headers: { a: ['1'], b: '2' } }] };
  const other = { outbounds: [{ headers: { b: '2', a: ['1'] }, type: 'http', tag: 'a' }] };
  expect(diffConfigs(one, other).outbounds).toEqual({ added: [], removed: [], changed: [], renamed: [] });
});

test.each([undefined, null, 'x', {}])('%j has no outbounds', (nothing) => {
  expect(diffConfigs(nothing, { outbounds: [{ type: 'direct', tag: 'd' }] }).outbounds).toEqual({
    added: ['d'],
    removed: [],
    changed: [],
    renamed: [],
  });
});
