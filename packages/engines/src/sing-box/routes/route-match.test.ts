import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { anyFlow, anyRule, anyRuleSet } from '../../../test/arbitrary-routes.ts';
import type { Json } from '../document.ts';
import { createRouteMatcher, matchRoute, type Flow } from './route-match.ts';

const proxy = (tag: string, more = {}): Json => ({ type: 'trojan', tag, ...more });
const config = (rules: readonly Json[], more: Json = {}): Json => ({
  inbounds: [{ type: 'mixed', tag: 'in' }],
  outbounds: [
    { type: 'selector', tag: 'select', outbounds: ['auto', 'a', 'b'], default: 'auto' },
    { type: 'urltest', tag: 'auto', outbounds: ['a', 'b'] },
    { type: 'urltest', tag: 'either', outbounds: ['a', 'direct'] },
    proxy('a'),
    proxy('b', { detour: 'a' }),
    { type: 'direct', tag: 'direct' },
    { type: 'block', tag: 'block' },
    { type: 'dns', tag: 'dns-out' },
  ],
  route: { rules, final: 'select' },
  ...more,
});
const to = (host: string, more: Partial<Flow> = {}): Flow => ({ host, port: 443, ...more });

describe('what is not known is said, and never guessed', () => {
  const cases: readonly (readonly [what: string, rule: Json, flow: Flow, facts: readonly string[]])[] = [
    ['the source', { source_ip_cidr: '192.0.2.0/24', outbound: 'a' }, to('x.test'), ['source']],
    ['the program', { process_name: 'curl', outbound: 'a' }, to('x.test'), ['process_name']],
    ['the Wi-Fi', { wifi_ssid: 'home', outbound: 'a' }, to('x.test'), ['wifi_ssid']],
    ['what only the machine knows', { preferred_by: ['ts'], outbound: 'a' }, to('x.test'), ['preferred_by']],
    ['a condition of a later version', { moon_phase: 'full', outbound: 'a' }, to('x.test'), ['moon_phase']],
    [
      'the content of a rule-set',
      { rule_set: 'far', outbound: 'a' },
      to('x.test'),
      ['the content of the rule-set "far"'],
    ],
    [
      'an expression that may take long',
      { domain_regex: '(a+)+$', outbound: 'a' },
      to('x.test'),
      ['a regular expression that can be tried here'],
    ],
    [
      'an expression only Go knows',
      { domain_regex: '(?i)x', outbound: 'a' },
      to('x.test'),
      ['a regular expression that can be tried here'],
    ],
  ];

  test.each(cases)('%s', (_, rule, flow, facts) => {
    const found = matchRoute(config([rule]), flow);
    expect(found).toMatchObject({ rule_index: null, unknown: [{ rule_index: 0, facts }] });
    expect(found.steps[0]?.why).toContain(facts.join(', '));
  });

  test('an inverted rule is not known either, and one that fails anyway is', () => {
    const rule = { source_ip_cidr: '192.0.2.0/24', invert: true, outbound: 'a' };
    expect(matchRoute(config([rule]), to('x.test')).unknown).toHaveLength(1);
    expect(matchRoute(config([{ ...rule, invert: false, port: 80 }]), to('x.test')).unknown).toEqual([]);
  });

  test('one of several inbounds is known when all are meant', () => {
    const inbounds = [
      { type: 'mixed', tag: 'one' },
      { type: 'mixed', tag: 'two' },
    ];
    const both = config([{ inbound: ['one', 'two'], outbound: 'a' }], { inbounds });
    const some = config([{ inbound: 'one', outbound: 'a' }], { inbounds });
    expect(matchRoute(both, to('x.test')).rule_index).toBe(0);
    expect(matchRoute(some, to('x.test')).unknown).toEqual([{ rule_index: 0, facts: ['inbound'] }]);
    expect(matchRoute(some, to('x.test', { inbound: 'one' })).rule_index).toBe(0);
  });
});

test('what is certain with some facts is the same with all of them', () => {
  const forgettable = ['source', 'auth_user', 'inbound', 'host'] as const;
  const rules = fc.array(anyRule, { minLength: 1, maxLength: 6 });
  const flow = fc.tuple(anyFlow, fc.constantFrom('127.0.0.1', '192.0.2.1', '10.0.0.1'));
  let uncertain = 0;
  fc.assert(
    fc.property(
      rules,
      fc.tuple(anyRuleSet, anyRuleSet),
      flow,
      fc.subarray([...forgettable]),
      (all, sets, [rest, source], forgotten) => {
        const rule_set = sets.map((inner, index) => ({ tag: `s${index}`, rules: inner }));
        const inbounds = [{ tag: 'in' }, { tag: 'auth', users: [{ username: 'ann' }] }];
        const whole = config([], { inbounds, route: { rules: all, rule_set, final: 'select' } });
        const full = { ...rest, source };
        const partial = Object.fromEntries(
          Object.entries(full).filter(([fact]) => !(forgotten as string[]).includes(fact)),
        );
        // Without a host the connection would be one to nowhere.
        fc.pre('host' in partial || 'ip' in partial);
        const [known, guessed] = [matchRoute(whole, full), matchRoute(whole, partial as unknown as Flow)];
        expect(known.unknown).toEqual([]);
        if (guessed.unknown.length > 0) uncertain += 1;
        else expect(guessed.rule_index).toBe(known.rule_index);
        // Where it is not certain, the truth is one of the rules that are named, or the one that was found.
        expect([...guessed.unknown.map(({ rule_index }) => rule_index), guessed.rule_index]).toContain(
          known.rule_index,
        );
      },
    ),
    { numRuns: 500 },
  );
  expect(uncertain).toBeGreaterThan(10);
});

describe('what rules do to those after them', () => {
  test('a protocol is there only behind a rule that sniffs', () => {
    const rules = [{ protocol: 'http', outbound: 'a' }, { action: 'sniff' }, { protocol: 'http', outbound: 'b' }];
    expect(matchRoute(config(rules), to('x.test', { protocol: 'http' })).rule_index).toBe(2);
    expect(matchRoute(config(rules), to('x.test')).unknown).toEqual([{ rule_index: 2, facts: ['protocol'] }]);
    expect(matchRoute(config(rules), to('x.test', { protocol: '' })).unknown).toEqual([]);
  });

  test('what cannot be sniffed is certain', () => {
    const rules = [
      { action: 'sniff', sniffer: ['dns'] },
      { protocol: ['quic', 'tls'], outbound: 'a' },
    ];
    expect(matchRoute(config(rules), to('x.test')).unknown).toEqual([]);
  });

  test('a domain has addresses only behind a rule that resolves it', () => {
    const rules = [
      { ip_cidr: '192.0.2.0/24', outbound: 'a' },
      { action: 'resolve' },
      { ip_cidr: '192.0.2.0/24', outbound: 'b' },
    ];
    expect(matchRoute(config(rules), to('x.test', { addresses: ['192.0.2.1'] })).rule_index).toBe(2);
    expect(matchRoute(config(rules), to('x.test', { addresses: ['198.51.100.1'] })).rule_index).toBeNull();
    expect(matchRoute(config(rules), to('x.test')).unknown).toEqual([{ rule_index: 2, facts: ['addresses'] }]);
  });

  test('a change that may not have happened leaves what it changes open', () => {
    const rules = [
      { source_ip_cidr: '192.0.2.0/24', action: 'route-options', override_port: 80 },
      { port: 80, outbound: 'a' },
      { domain: 'x.test', outbound: 'b' },
    ];
    expect(matchRoute(config(rules), to('x.test'))).toMatchObject({
      rule_index: 2,
      unknown: [{ rule_index: 1, facts: ['port'] }],
    });
  });

  test('an inbound of 1.12 sniffs before the first rule', () => {
    const inbounds = [{ type: 'mixed', tag: 'in', sniff: true }];
    const rules = [{ protocol: 'tls', outbound: 'a' }];
    expect(matchRoute(config(rules, { inbounds }), to('x.test', { protocol: 'tls' })).rule_index).toBe(0);
  });

  test('a fake address is the name behind it', () => {
    const dns = { servers: [{ type: 'fakeip', tag: 'fake', inet4_range: '198.18.0.0/15' }] };
    const rules = [{ domain_suffix: 'x.test', outbound: 'a' }];
    const flow = { ip: '198.18.0.9', host: 'www.x.test', port: 443 };
    expect(matchRoute(config(rules, { dns }), flow).rule_index).toBe(0);
    expect(matchRoute(config(rules), flow).rule_index).toBeNull();
  });
});

describe('where it goes then', () => {
  test('through a selector and a test of speed, to any of its members', () => {
    expect(matchRoute(config([]), to('x.test'))).toMatchObject({
      rule_index: null,
      outbound: 'select',
      path: [
        { tag: 'select', type: 'selector', how: 'final' },
        { tag: 'auto', type: 'urltest', how: 'default', any_of: ['a', 'b'] },
      ],
      leaves: ['a', 'b'],
      verdict: 'proxy',
    });
  });

  test('where somebody chose, and through what that dials through', () => {
    const match = createRouteMatcher(config([]), { selected: { select: 'b' } });
    expect(match(to('x.test'))).toMatchObject({
      path: [{ tag: 'select' }, { tag: 'b', how: 'chosen' }, { tag: 'a', how: 'detour' }],
      leaves: ['b'],
    });
  });

  test.each([
    [{ outbound: 'direct' }, 'direct'],
    [{ outbound: 'block' }, 'reject'],
    [{ action: 'reject' }, 'reject'],
    [{ outbound: 'dns-out' }, 'dns'],
    [{ action: 'hijack-dns' }, 'dns'],
    [{ outbound: 'either' }, 'mixed'],
  ])('%j is %s', (rule, verdict) => {
    expect(matchRoute(config([{ domain: 'x.test', ...rule }]), to('x.test')).verdict).toBe(verdict);
  });

  test('a missing outbound and a circle are named', () => {
    expect(matchRoute(config([{ port: 443, outbound: 'nope' }]), to('x.test'))).toMatchObject({
      verdict: null,
      broken: 'there is no outbound "nope"',
    });
    const outbounds = [
      { type: 'selector', tag: 'x', outbounds: ['y'] },
      { type: 'selector', tag: 'y', outbounds: ['x'] },
    ];
    expect(matchRoute({ outbounds }, to('x.test')).broken).toBe('the outbound "x" leads back to itself');
  });

  test('without rules and outbounds it goes out directly', () => {
    expect(matchRoute({}, to('x.test'))).toMatchObject({ outbound: 'direct', verdict: 'direct' });
  });
});

test('each rule says why', () => {
  const rules = [
    { action: 'sniff' },
    { domain_suffix: ['other.test'], ip_cidr: ['192.0.2.0/24'], outbound: 'a' },
    { port: [80, 8080], domain: 'www.x.test', outbound: 'a' },
    { network: 'udp', outbound: 'a' },
    { type: 'logical', mode: 'and', rules: [{ domain_suffix: 'x.test' }, { port: 80 }], outbound: 'a' },
    { domain_suffix: 'x.test', invert: true, outbound: 'a' },
    { rule_set: 'mine', action: 'reject' },
  ];
  const document = config(rules);
  const route = {
    ...(document['route'] as Json),
    rule_set: [{ tag: 'mine', rules: [{ domain: 'y' }, { domain_keyword: ['www.x'] }] }],
  };
  const { steps } = matchRoute({ ...document, route }, to('www.x.test', { protocol: 'tls' }));
  expect(steps.map(({ result, action, why }) => `${result}: ${action}: ${why}`)).toEqual([
    'yes: sniff: it has no conditions',
    'no: route to a: no domain_suffix or ip_cidr fits www.x.test',
    'no: route to a: no port fits port 443',
    'no: route to a: no network fits tcp',
    'no: route to a: no port fits port 443',
    'no: route to a: inverted: domain_suffix x.test',
    'yes: reject: rule_set mine (domain_keyword www.x)',
  ]);
});

test('the mode is assumed to be the one that the engine starts in, and said to be', () => {
  const rules = [{ clash_mode: 'Global', outbound: 'a' }];
  expect(matchRoute(config(rules), to('x.test'))).toMatchObject({ rule_index: null, assumed: ['the mode is "Rule"'] });
  expect(matchRoute(config(rules), to('x.test', { clash_mode: 'global' }))).toMatchObject({
    rule_index: 0,
    assumed: [],
  });
});
