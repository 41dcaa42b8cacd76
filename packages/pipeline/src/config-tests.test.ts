import { expect, test } from '@jest/globals';
import { configTestSchema, type ConfigTest } from '@sbox/protocol/pipeline';
import * as fc from 'fast-check';
import { runConfigTests } from './config-tests.ts';
import { toJUnit } from './junit.ts';
import { routedConfig } from './testing/routed-config.ts';

const one = (asked: Omit<ConfigTest, 'name'>) => runConfigTests(routedConfig, [{ name: 'it', ...asked }])[0]!;

test.each<[string, ConfigTest['expect']]>([
  ['example.com', { verdict: 'proxy', group: 'auto', rule: 'final', outbound: 'select' }],
  ['example.com', { group: 'select' }],
  ['my.tracker.test', { verdict: 'reject', rule: 'ads' }],
  ['printer.internal', { verdict: 'direct', rule: 4, outbound: 'direct' }],
  ['10.0.0.1:80', { verdict: 'direct', rule: 'ip_is_private' }],
  ['example.com:53', { verdict: 'dns' }],
])('%s meets %j', (destination, expected) => {
  expect(one({ destination, expect: expected })).toMatchObject({ ok: true, reasons: [] });
});

test.each<[string, ConfigTest['expect'], string[]]>([
  [
    'example.com',
    { verdict: 'direct', rule: 4 },
    ['rule 4 was expected, and it is no rule', 'verdict direct was expected, and it is proxy'],
  ],
  ['example.org', { group: 'auto' }, ['group auto was expected, and it is no group']],
  ['example.com', { outbound: 'de 1' }, ['outbound de 1 was expected, and it is select, de 1, nl 1']],
  [
    'x.internal',
    { rule: 'ads' },
    ['rule ads was expected, and it is rule 4 (domain_suffix .internal example.org -> direct)'],
  ],
  ['a b', { verdict: 'proxy' }, ['a destination is a host or an address, with its port behind a colon']],
])('%s does not meet %j', (destination, expected, reasons) => {
  const result = one({ destination, expect: expected });
  expect(result).toMatchObject({ ok: false, reasons, detail: reasons.join('; ') });
});

test('what cannot be followed with certainty fails, and says what is missing', () => {
  expect(one({ destination: 'x.test:8080', protocol: 'http', expect: { verdict: 'proxy' } })).toMatchObject({
    ok: false,
    detail: 'rule 6 may take it, which cannot be said without: source',
  });
  expect(
    one({ destination: 'x.test:8080', protocol: 'http', source: '10.0.0.1', expect: { verdict: 'proxy' } }).ok,
  ).toBe(true);
});

test('JUnit that CI services read', () => {
  const results = runConfigTests(routedConfig, [
    { name: 'shops & "banks"', destination: 'example.com', expect: { verdict: 'proxy' } },
    { name: 'ads', destination: 'example.com', expect: { verdict: 'reject' } },
  ]);
  expect(toJUnit(results, 'main')).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1">
  <testsuite name="main" tests="2" failures="1">
    <testcase classname="main" name="shops &amp; &quot;banks&quot;"/>
    <testcase classname="main" name="ads">
      <failure message="verdict reject was expected, and it is proxy"/>
    </testcase>
  </testsuite>
</testsuites>
`);
});

test('no name breaks out of its attribute', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const xml = toJUnit([{ name, ok: false, detail: name }], name);
      const lines = xml.trimEnd().split('\n');
      expect(lines).toHaveLength(8);
      for (const line of lines) expect(line).toMatch(/^ *<[/?]?[a-z]+(?: [a-z]+="[^"<\p{Cc}]*")*[/?]?>$/u);
    }),
  );
});

test('a test has to expect something, and nothing unknown', () => {
  const whole = { name: 'x', destination: 'example.com' };
  expect(configTestSchema.safeParse({ ...whole, expect: { verdict: 'proxy' } }).success).toBe(true);
  for (const bad of [
    { ...whole, expect: {} },
    { ...whole, expect: { verdict: 'maybe' } },
    { ...whole, expect: { verdict: 'proxy' }, port: 1 },
  ])
    expect(configTestSchema.safeParse(bad).success).toBe(false);
});
