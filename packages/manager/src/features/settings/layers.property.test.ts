import { expect, test } from '@jest/globals';
import { parseScope, printScope, settingLayers } from '@sbox/protocol';
import * as fc from 'fast-check';
import { differing, freeze } from './freeze.ts';
import {
  applies,
  explain,
  keysIn,
  recipient,
  resolve,
  sortLayers,
  type Recipient,
  type SettingLayer,
} from './layers.ts';

const scopes = {
  global: ['global'],
  environment: ['environment:prod', 'environment:dev'],
  service: ['service:sing-box', 'service:xray'],
  labels: ['labels:role=edge', 'labels:role=edge,region=eu', 'labels:region in (eu,us)', 'labels:!canary'],
  server: ['server:a', 'server:b'],
  user: ['user:phone'],
} as const;
const keys = ['log_level', 'watch', 'params.port'];
const values = fc.dictionary(fc.constantFrom(...keys), fc.constantFrom('x', 'y', 3, ['x'], { a: 1 }), { maxKeys: 3 });
const plain = fc.constantFrom('default', 'file', 'variable', 'recipe').map((layer) => ({ layer, scope: '' }));
const scoped = fc
  .constantFrom(...Object.entries(scopes))
  .chain(([kind, texts]) => fc.record({ layer: fc.constantFrom(kind, 'override'), scope: fc.constantFrom(...texts) }));
/** Two layers of one place would be one. */
const anyLayers = fc.uniqueArray(
  fc.record({ place: fc.oneof(plain, scoped), values }).map(({ place, values: said }) => ({ ...place, values: said })),
  { selector: ({ layer, scope }) => `${layer} ${scope}`, maxLength: 14 },
) as fc.Arbitrary<SettingLayer[]>;
const anyone: fc.Arbitrary<Recipient> = fc.record({
  server: fc.constantFrom('', 'a', 'b', 'c'),
  environment: fc.constantFrom(null, 'prod', 'dev', 'else'),
  labels: fc.dictionary(fc.constantFrom('role', 'region', 'canary'), fc.constantFrom('edge', 'eu', 'asia')),
  service: fc.constant('sing-box'),
  user: fc.constantFrom('', 'phone'),
});

test('what a server gets of frozen settings is what it gets of the layers themselves', () => {
  fc.assert(
    fc.property(anyLayers, anyone, (layers, who) => {
      const sorted = sortLayers(layers);
      const frozen = freeze(layers, keys, 'sing-box');
      const got = { ...frozen.base, ...differing(frozen, who) };
      for (const key of keys) expect(got[key]).toEqual(resolve(sorted, key, who)?.value);
    }),
    { numRuns: 3000 },
  );
});

test('only what could change something for somebody is frozen', () => {
  fc.assert(
    fc.property(anyLayers, (layers) => {
      const frozen = freeze(layers, keys, 'sing-box');
      for (const layer of frozen.layers) {
        expect(['environment', 'labels', 'server', 'user', 'override']).toContain(layer.layer);
        expect(Object.keys(layer.values)).not.toHaveLength(0);
      }
      for (const key of keysIn(frozen.layers)) {
        const weakest = frozen.layers.find(({ values: said }) => Object.hasOwn(said, key));
        if (Object.hasOwn(frozen.base, key)) expect(weakest?.values[key]).not.toEqual(frozen.base[key]);
      }
      // Without a recipient of some kind it is the base.
      expect(differing(frozen, recipient())).toEqual({});
    }),
    { numRuns: 2000 },
  );
});

test('the order of layers does not depend on the order in which they come, and freezing twice is freezing once', () => {
  fc.assert(
    fc.property(anyLayers, fc.infiniteStream(fc.nat()), (layers, numbers) => {
      const shuffled = layers
        .map((layer) => ({ layer, at: numbers.next().value as number }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ layer }) => layer);
      expect(sortLayers(shuffled)).toEqual(sortLayers(layers));
      const frozen = freeze(layers, keys, 'sing-box');
      expect(freeze(shuffled, keys, 'sing-box')).toEqual(frozen);
      const again = freeze([{ layer: 'default', scope: '', values: frozen.base }, ...frozen.layers], keys, 'sing-box');
      expect(again).toEqual(frozen);
    }),
  );
});

test('explain names every layer that says something, one winner, and the value that is resolved', () => {
  fc.assert(
    fc.property(anyLayers, anyone, fc.constantFrom(...keys), (layers, who, key) => {
      const sorted = sortLayers(layers);
      const lines = explain(sorted, key, who);
      expect(lines).toHaveLength(layers.filter(({ values: said }) => Object.hasOwn(said, key)).length);
      const winners = lines.filter(({ wins }) => wins);
      const found = resolve(sorted, key, who);
      expect(winners.map(({ value }) => value)).toEqual(found ? [found.value] : []);
      // Nothing that applies stands above the winner.
      const above = lines.slice(
        0,
        lines.findIndex(({ wins }) => wins),
      );
      if (found) expect(above.every((line) => !line.applies)).toBe(true);
      expect(lines.every(({ why }) => why.length > 0)).toBe(true);
    }),
  );
});

test.each([
  [['labels:role=edge', 'labels:region=eu,role=edge'], 'labels:region=eu,role=edge'],
  [['labels:region=eu', 'labels:role=edge'], 'labels:role=edge'],
  [['server:a', 'labels:region=eu,role=edge'], 'server:a'],
  [['environment:prod', 'service:sing-box'], 'service:sing-box'],
  [['global', 'environment:prod'], 'environment:prod'],
  [['user:phone', 'server:a'], 'user:phone'],
])('of %j wins %s', (texts, winner) => {
  const layers = texts.map((scope): SettingLayer => {
    const { kind } = parseScope(scope);
    return { layer: kind, scope: printScope(parseScope(scope)), values: { watch: scope } };
  });
  const who = recipient({ server: 'a', environment: 'prod', labels: { role: 'edge', region: 'eu' }, user: 'phone' });
  expect(resolve(sortLayers(layers), 'watch', who)?.value).toBe(winner);
});

test('an override wins over everything, one of a narrower scope over one of a wider, a later over an earlier', () => {
  const override = (scope: string, since: string): SettingLayer => ({
    layer: 'override',
    scope,
    since,
    values: { watch: `${scope} ${since}` },
  });
  const who = recipient({ server: 'a' });
  const server: SettingLayer = { layer: 'server', scope: 'server:a', values: { watch: 'server' } };
  const wins = (...layers: SettingLayer[]) => resolve(sortLayers(layers), 'watch', who)?.value;
  expect(wins(override('global', '1'), server)).toBe('global 1');
  expect(wins(override('global', '2'), override('server:a', '1'), server)).toBe('server:a 1');
  expect(wins(override('server:a', '2'), override('server:a', '1'))).toBe('server:a 2');
  expect(wins(override('server:b', '2'), server)).toBe('server');
});

test('layers are ranked as the contract lists them', () => {
  expect(settingLayers.at(-1)).toBe('override');
  expect(applies({ scope: 'labels:!canary' }, recipient())).toBe(false);
  expect(applies({ scope: 'labels:!canary' }, recipient({ server: 'a' }))).toBe(true);
});
