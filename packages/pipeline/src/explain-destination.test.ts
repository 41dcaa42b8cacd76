import { describe, expect, test } from '@jest/globals';
import { parseDestination } from './destination.ts';
import { explainDestination } from './explain-destination.ts';
import { explainText } from './explain-text.ts';
import { routedConfig } from './testing/routed-config.ts';

const ask = (destination: string, more = {}) => explainDestination(routedConfig, { destination, ...more });

test('says in plain words where a connection goes and why', () => {
  expect(explainText({ route: ask('www.example.org:443') })).toEqual([
    'verdict    goes out directly',
    'rule       4: domain_suffix .internal example.org -> direct',
    'because    domain_suffix example.org',
    'way        direct',
    'assumed    it speaks tls, as usual at port 443',
    'before it  rules that were asked and did not take it',
    '           + 0 sniff: it has no conditions',
    '           - 1 hijack-dns: no protocol fits tls',
    '           - 2 reject: no rule_set fits www.example.org',
    '           - 3 route to direct: no ip_is_private fits www.example.org',
  ]);
});

test('says how groups choose', () => {
  const route = ask('example.com');
  expect(route).toMatchObject({ verdict: 'proxy', leaves: ['de 1', 'nl 1'], is_certain: true });
  expect(explainText({ route }).slice(0, 4)).toEqual([
    'verdict    goes through a proxy',
    'rule       none; it goes to the final outbound',
    'way        select > auto (its default) [urltest: the fastest of 2]',
    'nodes      de 1, nl 1',
  ]);
});

test('says what would have to be known', () => {
  const route = ask('example.com:8080', { protocol: 'http' });
  expect(route.is_certain).toBe(false);
  expect(explainText({ route })).toContain('unknown    rule 6 may take it: source would have to be known');
  expect(ask('example.com:8080', { protocol: 'http', source: '192.168.7.9' })).toMatchObject({
    rule_index: 6,
    outbound: 'nl 1',
  });
});

test('assumes what is usual at a port, only where it matters, and not against what is said', () => {
  expect(ask('example.com:443').assumed).toEqual(['it speaks tls, as usual at port 443']);
  expect(ask('example.com:53', { network: 'udp' })).toMatchObject({
    verdict: 'dns',
    assumed: ['it speaks dns, as usual at port 53'],
  });
  expect(ask('example.com:53', { network: 'udp', protocol: '' })).toMatchObject({ verdict: 'proxy', assumed: [] });
  const plain = { ...routedConfig, route: { rules: [{ domain: 'x', outbound: 'direct' }], final: 'select' } };
  expect(explainDestination(plain, { destination: 'x' }).assumed).toEqual([]);
});

test('a bare address names no host', () => {
  expect(ask('10.0.0.1:80')).toMatchObject({
    rule_index: 3,
    is_certain: true,
    assumed: ['it speaks http, as usual at port 80', 'it names no host'],
  });
  expect(ask('10.0.0.1:80', { host: 'a.tracker.test' })).toMatchObject({ verdict: 'reject' });
});

test('expressions are Go’s', () => {
  expect(ask('de7.example.com')).toMatchObject({ outbound: 'de 1' });
});

test('a node in words', () => {
  const node = {
    node_id: 'n_0123456789abcdef',
    sources: [{ subscription: 'home', tag: 'Germany 1', line: 7 }],
    protocol: 'trojan',
    country: 'DE',
    steps: [
      { index: 0, operator: 'rename', what: 'is called "de 1" now' },
      { index: -1, operator: 'end', what: '"de 1" of home is the same node' },
    ],
    verdict: 'kept' as const,
    tag: 'de 1',
    labels: [],
    groups: ['auto', 'select'],
    is_partial: false,
  };
  expect(explainText({ node })).toEqual([
    'node       n_0123456789abcdef (trojan, DE)',
    'read from  home, line 7, as "Germany 1"',
    'operator   0 rename: is called "de 1" now',
    'at the end "de 1" of home is the same node',
    'kept       as "de 1"',
    'groups     auto, select',
  ]);
  const place = {
    tag: 'de 1',
    groups: ['auto', 'select'],
    rules: [{ index: 5, text: 'port 1 -> de 1' }],
    left_out: null,
  };
  expect(explainText({ node, place }).slice(-2)).toEqual(['groups     auto, select', 'rule       5: port 1 -> de 1']);
  const left = { tag: null, groups: [], rules: [], left_out: 'sing-box has no mieru' };
  expect(explainText({ node, place: left }).at(-1)).toBe('left out   sing-box has no mieru');
  const { tag: _, ...dropped } = { ...node, verdict: 'dropped' as const };
  expect(explainText({ node: dropped }).at(-1)).toBe('dropped    it is not in the config');
});

describe('destinations', () => {
  test.each([
    ['example.com:80', { host: 'example.com', port: 80 }],
    ['Example.COM.', { host: 'example.com', port: 443 }],
    ['192.0.2.1:53', { ip: '192.0.2.1', port: 53 }],
    ['[2001:db8::1]:53', { ip: '2001:db8::1', port: 53 }],
    ['2001:db8::1', { ip: '2001:db8::1', port: 443 }],
    ['[::1]', { ip: '::1', port: 443 }],
  ])('%s', (text, expected) => {
    expect(parseDestination(text)).toEqual(expected);
  });

  test.each(['', ':443', 'x:0', 'x:65536', 'x:y', 'a b', 'https://x', '[x]:1', '[::1', 'x:1:2'])(
    '%j is none',
    (text) => {
      expect(() => parseDestination(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }));
    },
  );
});
