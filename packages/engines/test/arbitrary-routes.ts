import * as fc from 'fast-check';
import type { Flow } from '../src/sing-box/routes/route-match.ts';

type Part = Record<string, unknown>;

const names = ['a.test', 'b.a.test', 'test', 'c.example', 'x.c.example'] as const;
const addresses = ['10.0.0.1', '192.0.2.1', '198.51.100.1', '2001:db8::1', 'fd00::1'] as const;
const ports = [1, 80, 443, 9000] as const;

const some = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 1 });
const conditions = fc
  .record(
    {
      domain: some(names),
      domain_suffix: some([...names, '.a.test', '.example']),
      domain_keyword: some(['a', 'exam']),
      ip_cidr: some(['10.0.0.0/8', '192.0.2.0/25', '::/0', '0.0.0.0/1']),
      ip_is_private: fc.constant(true),
      port: some(ports),
      port_range: some([':79', '80:8000', '9000:']),
      source_ip_cidr: some(['127.0.0.0/8', '192.0.2.0/24']),
      ip_version: fc.constantFrom(4, 6),
      inbound: some(['in', 'auth']),
      auth_user: some(['ann', 'bob']),
      rule_set: some(['s0', 's1']),
      rule_set_ip_cidr_match_source: fc.constant(true),
      invert: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .filter((rule) => Object.keys(rule).some((key) => !['invert', 'rule_set_ip_cidr_match_source'].includes(key)))
  .map((rule): Part => ('rule_set' in rule ? rule : { ...rule, rule_set_ip_cidr_match_source: false }));

const headless = conditions.map(({ domain, domain_suffix, ip_cidr, port, source_ip_cidr, invert }): Part => {
  const rule = { domain, domain_suffix, ip_cidr, port, source_ip_cidr };
  const set = Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined));
  return Object.keys(set).length === 0 ? { port: [80] } : { ...set, ...(invert === true && { invert }) };
});

const logical = (inner: fc.Arbitrary<Part>): fc.Arbitrary<Part> =>
  fc.record({
    type: fc.constant('logical'),
    mode: fc.constantFrom('and', 'or'),
    rules: fc.array(inner, { minLength: 1, maxLength: 3 }),
    invert: fc.boolean(),
  });

/** A rule of any kind; its rule-sets are `s0` and `s1`. */
export const anyRule = fc
  .tuple(
    fc.oneof({ weight: 3, arbitrary: conditions }, logical(conditions)),
    fc.constantFrom('a', 'b', 'c', 'reject', 'options'),
  )
  .map(([rule, to]): Part => {
    if (to === 'reject') return { ...rule, action: 'reject' };
    return to === 'options' ? { ...rule, action: 'route-options', udp_connect: true } : { ...rule, outbound: to };
  });

/** The rules of a rule-set. */
export const anyRuleSet = fc.array(fc.oneof({ weight: 3, arbitrary: headless }, logical(headless)), {
  minLength: 1,
  maxLength: 3,
});

/** A connection about which everything is known. */
export const anyFlow: fc.Arbitrary<Flow> = fc
  .record({
    to: fc.constantFrom(...names, ...addresses),
    port: fc.constantFrom(...ports),
    user: fc.constantFrom('', 'ann', 'bob'),
  })
  .map(({ to, port, user }) => ({
    ...((addresses as readonly string[]).includes(to) ? { ip: to } : { host: to }),
    port,
    auth_user: user,
    inbound: user === '' ? 'in' : 'auth',
  }));
