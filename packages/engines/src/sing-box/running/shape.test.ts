import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultsOf, shapeOf } from './shape.ts';

const config = {
  outbounds: [
    { type: 'selector', tag: 'select', outbounds: ['a', 'b'], default: 'b' },
    { type: 'selector', tag: 'first', outbounds: ['b', 'a'] },
    { type: 'urltest', tag: 'auto', outbounds: ['a', 'b'] },
  ],
  route: { final: 'select' },
  experimental: { clash_api: { default_mode: 'global', external_ui: 'ui' } },
};

test('what a running engine can be told is no part of the shape', () => {
  const [select, ...others] = config.outbounds;
  const told = {
    ...config,
    outbounds: [{ ...select, default: 'a' }, ...others],
    experimental: { clash_api: { external_ui: 'ui' } },
  };
  expect(shapeOf(told)).toBe(shapeOf(config));
  expect(defaultsOf(config)).toEqual({ selectors: { select: 'b', first: 'b' }, mode: 'global' });
  expect(defaultsOf(told)).toEqual({ selectors: { select: 'a', first: 'b' }, mode: undefined });
});

test.each([
  [
    'members',
    { ...config, outbounds: [{ ...config.outbounds[0], outbounds: ['b', 'a'] }, ...config.outbounds.slice(1)] },
  ],
  ['the final outbound', { ...config, route: { final: 'auto' } }],
  ['the control API', { ...config, experimental: { clash_api: { external_ui: 'other' } } }],
  [
    'a default that is none',
    { ...config, outbounds: [...config.outbounds, { type: 'direct', tag: 'd', default: 'x' }] },
  ],
])('%s is part of it', (_, other) => expect(shapeOf(other)).not.toBe(shapeOf(config)));

test('the order of keys is none, that of lists is', () => {
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .map(([key, item]): [string, unknown] => [key, shuffled(item)])
              .toReversed(),
          )
        : value;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (any) => {
      expect(shapeOf(shuffled(any) as Record<string, unknown>)).toBe(shapeOf(any));
    }),
  );
  expect(shapeOf({ a: [1, 2] })).not.toBe(shapeOf({ a: [2, 1] }));
});

test('of more selectors than are told, the rest belongs to the shape', () => {
  const many = (chosen: string) => ({
    outbounds: Array.from({ length: 201 }, (_, index) => ({
      type: 'selector',
      tag: `s${index}`,
      outbounds: ['a', 'b'],
      default: index === 200 ? chosen : 'a',
    })),
  });
  expect(shapeOf(many('a'))).not.toBe(shapeOf(many('b')));
});
