import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { pinned } from '../../../test/real-engine.ts';
import { matchRoute } from './route-match.ts';
import { parseSrs } from './rule-sets-binary.ts';
import { parseRuleSet } from './rule-sets-json.ts';

const inflate = (packed: Uint8Array, maxOutputLength: number): Uint8Array => inflateSync(packed, { maxOutputLength });
const dir = mkdtempSync(path.join(tmpdir(), 'sbox-rule-sets-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** The engine's own compiled form, and what the engine reads out of it again. */
function compiled(source: object): { bytes: Uint8Array; again: unknown } {
  const [json, srs, out] = ['source.json', 'set.srs', 'again.json'].map((name) => path.join(dir, name));
  writeFileSync(json!, JSON.stringify(source));
  for (const args of [
    ['compile', json!, '-o', srs!],
    ['decompile', srs!, '-o', out!],
  ]) {
    const { status, stderr } = spawnSync(pinned.program, ['rule-set', ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  }
  return { bytes: readFileSync(srs!), again: JSON.parse(readFileSync(out!, 'utf8')) };
}

/** The engine writes a list of one as its item, and IPv6 addresses in their shortest form. */
const normal = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, item: unknown) => {
    if (Array.isArray(item) && item.length === 1 && key !== 'rules') return item[0] as unknown;
    const [, address, size] = typeof item === 'string' ? (/^([\da-f]*:[\da-f:]*)(\/\d+)?$/.exec(item) ?? []) : [];
    return address === undefined || (!address.includes('::') && address.split(':').length < 8)
      ? item
      : `${new URL(`http://[${address}]`).hostname}${size ?? ''}`;
  });

const name = fc.constantFrom('a.test', 'b.a.test', 'ж.test', 'test', 'x.example', 'y.x.example', 'münchen.test');
const list = <T>(item: fc.Arbitrary<T>) => fc.uniqueArray(item, { minLength: 1, maxLength: 6 });
const plain = fc
  .record(
    {
      network: fc.constant(['tcp', 'udp']),
      domain: list(name),
      domain_suffix: list(fc.tuple(fc.constantFrom('', '.'), name).map((parts) => parts.join(''))),
      domain_keyword: list(fc.string({ minLength: 1 })),
      domain_regex: fc.constant([String.raw`^a\.`, 'x']),
      source_ip_cidr: list(fc.ipV4()),
      ip_cidr: list(fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('10.0.0.0/8', '192.0.2.128/25', '2001:db8::/33'))),
      source_port: list(fc.nat(65_535)),
      port: list(fc.nat(65_535)),
      port_range: fc.constant(['1:2', '9000:']),
      process_name: fc.constant(['curl']),
      process_path_regex: fc.constant(['/bin/.*']),
      package_name: fc.constant(['org.example']),
      network_type: fc.constant(['wifi', 'other']),
      network_is_expensive: fc.constant(true),
      wifi_ssid: fc.constant(['home']),
      invert: fc.constant(true),
    },
    { requiredKeys: [] },
  )
  .filter((rule) => Object.keys(rule).some((key) => key !== 'invert'));
const logical = fc.record({
  type: fc.constant('logical'),
  mode: fc.constantFrom('and', 'or'),
  rules: fc.array(plain, { minLength: 1, maxLength: 3 }),
});
const anyRules = fc.array(fc.oneof(plain, logical), { minLength: 1, maxLength: 4 });

test('reads out of a compiled rule-set what the engine reads', () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3, 4), anyRules, (version, rules) => {
      fc.pre(version >= 3 || !/network_type|network_is/.test(JSON.stringify(rules)));
      const { bytes, again } = compiled({ version, rules });
      expect(normal(parseSrs(bytes, { inflate }))).toEqual(normal(again));
    }),
    { numRuns: 25 },
  );
});

test('a compiled rule-set routes like its source', () => {
  const rules = [{ domain_suffix: ['.below.test', 'with.test'], domain: ['one.test'] }, { ip_cidr: ['192.0.2.0/24'] }];
  const { bytes } = compiled({ version: 3, rules });
  const config = {
    outbounds: [{ type: 'direct', tag: 'd' }],
    route: { rules: [{ rule_set: 's', action: 'reject' }], rule_set: [{ type: 'local', tag: 's', path: 's.srs' }] },
  };
  for (const content of [parseSrs(bytes, { inflate }), parseRuleSet({ version: 3, rules })]) {
    const verdicts = ['below.test', 'x.below.test', 'with.test', 'x.with.test', 'one.test', 'x.one.test'].map(
      (host) => matchRoute(config, { host, port: 1 }, new Map([['s.srs', content]])).verdict,
    );
    expect(verdicts).toEqual(['direct', 'reject', 'reject', 'reject', 'reject', 'direct']);
  }
});

describe('what is no rule-set is refused', () => {
  const header = [...Buffer.from('SRS'), 3];
  const packed = (...bytes: number[]): Uint8Array =>
    Uint8Array.from([...header, ...deflateSync(Uint8Array.from(bytes))]);
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['text', Buffer.from('<html>')],
    ['an unknown version', Uint8Array.from([...Buffer.from('SRS'), 9])],
    ['what cannot be unpacked', Uint8Array.from([...header, 1, 2, 3])],
    ['one that ends early', packed(1, 0, 1, 2)],
    ['one that counts too much', packed(255, 255, 255, 255, 15)],
    ['an unknown condition', packed(1, 0, 99)],
    ['an unknown rule', packed(1, 7)],
  ])('%s', (_, bytes) => {
    expect(() => parseSrs(bytes, { inflate })).toThrow(expect.objectContaining({ code: 'rule-set.invalid' }));
  });

  test('never anything else than a refusal', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 60 }), (bytes) => {
        try {
          parseSrs(packed(...bytes), { inflate, maxBytes: 1000 });
        } catch (error) {
          expect(error).toMatchObject({ code: 'rule-set.invalid' });
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([null, 'x', '[]', '{"version":9}', '{"rules":[]}', '{"version":1,"rules":[1]}'])('%j', (source) => {
    expect(() => parseRuleSet(source)).toThrow(expect.objectContaining({ code: 'rule-set.invalid' }));
  });
});
