import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { isDeeper, readJsonBody } from './json-body.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test('depth is what the value has, whatever stands in its strings', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer({ min: 0, max: 8 }), (value, most) => {
      expect(isDeeper(bytes(JSON.stringify(value)), most)).toBe(depthOf(value) > most);
    }),
  );
});

test.each([
  ['{"a":"[[[["}', false],
  [String.raw`{"a":"\"[[["}`, false],
  [String.raw`{"a":"\\","b":[[]]}`, true],
  ['[[]', false],
  ['[[[', true],
  ['"[[[', false],
])('%s is deeper than two levels: %s', (text, expected) => {
  expect(isDeeper(bytes(text), 2)).toBe(expected);
});

test('64 levels are read, 65 and 200000 are not, and quickly', () => {
  const nested = (depth: number): Uint8Array => bytes('['.repeat(depth) + ']'.repeat(depth));
  expect(depthOf(readJsonBody({}, nested(64)))).toBe(64);
  for (const depth of [65, 200_000])
    expect(() => readJsonBody({}, nested(depth))).toThrow(
      expect.objectContaining({ code: 'request.too-deep', details: { max_depth: 64 } }),
    );
});

test.each([
  [{ 'content-type': 'text/plain' }, 'text/plain'],
  [{ 'content-type': 'application/x-www-form-urlencoded' }, 'form'],
  [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'gzip'],
])('%j is 415', (headers, words) => {
  const attempt = () => readJsonBody(headers, bytes('{}'));
  expect(attempt).toThrow(expect.objectContaining({ code: 'request.unsupported-media-type' }));
  expect(attempt).toThrow(words);
});

test.each([
  {},
  { 'content-type': 'application/json; charset=utf-8' },
  { 'content-type': 'Application/JSON' },
  { 'content-type': 'application/merge-patch+json', 'content-encoding': 'identity' },
])('%j is read', (headers) => {
  expect(readJsonBody(headers as Record<string, string>, bytes('{"a":1}'))).toEqual({ a: 1 });
});

test.each([
  ['{"__proto__":1}', 'body: '],
  ['{"values":{"__proto__":{"a":1}}}', 'body.values: '],
  ['{"list":[{"\\u005f_proto__":null}]}', 'body.list.0: '],
])('a field called __proto__ is refused, never dropped: %s', (text, place) => {
  expect(() => readJsonBody({}, bytes(text))).toThrow(
    expect.objectContaining({ code: 'request.invalid', message: expect.stringContaining(place) as unknown }),
  );
});

test('a text that says __proto__ is a text', () => {
  expect(readJsonBody({}, bytes('{"a":"__proto__"}'))).toEqual({ a: '__proto__' });
});
