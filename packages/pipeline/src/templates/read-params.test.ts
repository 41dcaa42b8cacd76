import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import type { ParamSpec } from '@sbox/protocol/pipeline';
import { hideSecrets, readParams } from './read-params.ts';

const complaints = (params: Record<string, ParamSpec>, given: Record<string, unknown>): string[] => {
  try {
    readParams({ name: 'own', params }, given);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'template.invalid-parameter') throw error;
    const { params: found } = error.details as { params: { param: string; message: string }[] };
    return found.map(({ param, message }) => `${param}: ${message}`);
  }
  return [];
};
const of = (spec: object): ParamSpec => ({ description: '', ...spec }) as ParamSpec;

test.each([
  [{ type: 'string', min: 2, max: 3 }, ['ab', 'abc'], ['a', 'abcd', 5]],
  [{ type: 'string', pattern: '^/' }, ['/x'], ['x/']],
  [{ type: 'int', min: -1, max: 5 }, [-1, 0, 5], [6, 1.5, '1', Number.NaN]],
  [{ type: 'bool' }, [true, false], ['true', 1]],
  [{ type: 'enum', values: ['a', 'b'] }, ['a'], ['c', 1, ['a']]],
  [{ type: 'port' }, [1, 65_535], [0, 65_536, '80']],
  [{ type: 'cidr' }, ['10.0.0.0/8', 'fd00::/8', '::/0'], ['10.0.0.0', '10.0.0/8', '1.2.3.4/33', 'fd00::/129', 'g::/1']],
  [{ type: 'duration' }, ['5m', '1h30m'], ['5', '0', 'x', 5]],
  [{ type: 'url' }, ['https://a.test/x', 'http://[::1]:80/'], ['ftp://a.test', 'a.test', 'https://a b']],
  [{ type: 'secret', min: 3 }, ['abc'], ['ab', 1]],
  [
    { type: 'list', items: { type: 'port', description: '' }, min: 1, max: 2 },
    [[1], [1, 2]],
    [[], [1, 2, 3], [0], 'x'],
  ],
])('%j takes %j and refuses %j', (spec, good, bad) => {
  for (const value of good) expect(complaints({ p: of(spec) }, { p: value })).toEqual([]);
  for (const value of bad) expect(complaints({ p: of(spec) }, { p: value })).toHaveLength(1);
});

test('all complaints come at once, with their places and without values', () => {
  const user = of({ type: 'object', fields: { name: of({ type: 'string' }), key: of({ type: 'secret', min: 99 }) } });
  const params = { a: of({ type: 'port' }), users: of({ type: 'list', items: user }), c: of({ type: 'bool' }) };
  expect(complaints(params, { a: 0, users: [{ key: 'hidden', more: 1 }, 5], other: 1 })).toEqual([
    'other: own has no such parameter; it has a, users, c',
    'a: must be 1 to 65535',
    'users[0].more: there is no such field',
    'users[0].name: it has to be given',
    'users[0].key: must have at least 99 characters',
    'users[1]: must be an object',
    'c: it has to be given',
  ]);
});

test('defaults stand for what was not given, and optional ones for nothing', () => {
  const params = { a: of({ type: 'int', default: 3 }), b: of({ type: 'string', optional: true }) };
  expect(readParams({ name: 'own', params }, {})).toEqual({ a: 3 });
  expect(readParams({ name: 'own', params }, { a: null, b: 'x' })).toEqual({ a: 3, b: 'x' });
  expect(complaints({}, { constructor: 1, toString: 2 })).toHaveLength(2);
});

test('secrets are hidden wherever they are', () => {
  const user = of({ type: 'object', fields: { name: of({ type: 'string' }), key: of({ type: 'secret' }) } });
  const params = { key: of({ type: 'secret' }), users: of({ type: 'list', items: user }), n: of({ type: 'int' }) };
  expect(hideSecrets({ params }, { key: 'x', users: [{ name: 'a', key: 'y' }], n: 1 })).toEqual({
    key: '***',
    users: [{ name: 'a', key: '***' }],
    n: 1,
  });
});

test('values that the template does not know are hidden', () => {
  const params = { users: of({ type: 'list', items: of({ type: 'string' }) }), name: of({ type: 'string' }) };
  const given = { old_key: 'x', constructor: 'y', users: 'z', name: { key: 'k' } };
  expect(hideSecrets({ params }, given)).toEqual({ old_key: '***', constructor: '***', users: '***', name: '***' });
});
