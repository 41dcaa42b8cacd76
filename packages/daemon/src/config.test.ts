import { describe, expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { leafKeys, readSettings } from './config.ts';

const schema = z.strictObject({
  listen: z._default(z.string(), '127.0.0.1:4780'),
  fetch: z.prefault(
    z.strictObject({
      timeout_ms: z._default(z.number(), 30_000),
      allow: z._default(z.array(z.string()), []),
      proxy: z.optional(z.string()),
    }),
    {},
  ),
  headers: z._default(z.record(z.string(), z.string()), {}),
});
const read = (input: Partial<Parameters<typeof readSettings>[1]> = {}) =>
  readSettings(schema, { prefix: 'SBOX', ...input });
const file = (text: string, name = 'a.yaml') => ({ name, text });

const failure = (run: () => unknown): { code?: string; message: string; details?: unknown } => {
  try {
    run();
    return { message: 'no failure' };
  } catch (error) {
    return error as Error;
  }
};

test('defaults are enough', () => {
  expect(read().value).toEqual({
    listen: '127.0.0.1:4780',
    fetch: { timeout_ms: 30_000, allow: [] },
    headers: {},
  });
});

test('a variable may write a list with commas, as one item or as YAML', () => {
  const allow = (text: string) => read({ environment: { SBOX_FETCH_ALLOW: text } }).value.fetch.allow;
  expect(allow('10.0.0.0/8')).toEqual(['10.0.0.0/8']);
  expect(allow('10.0.0.0/8, 127.0.0.0/8')).toEqual(['10.0.0.0/8', '127.0.0.0/8']);
  expect(allow('["10.0.0.0/8"]')).toEqual(['10.0.0.0/8']);
});

test('flag beats environment beats later file beats earlier file, key by key, and explain says who won', () => {
  const settings = read({
    files: [file('listen: a:1\nfetch: {timeout_ms: 1, proxy: one}\n'), file('fetch:\n  timeout_ms: 2\n', 'b.yaml')],
    environment: { SBOX_LISTEN: 'b:2', SBOX_FETCH_ALLOW: '[10.0.0.0/8, 127.0.0.0/8]', OTHER: 'x', SBOX_UNKNOWN: 'x' },
    flags: { listen: 'c:3', 'fetch.proxy': undefined },
  });
  expect(settings.value).toEqual({
    listen: 'c:3',
    fetch: { timeout_ms: 2, allow: ['10.0.0.0/8', '127.0.0.0/8'], proxy: 'one' },
    headers: {},
  });
  const won = ['listen', 'fetch.allow', 'fetch.timeout_ms', 'fetch.proxy', 'headers'].map((key) =>
    settings.explain(key),
  );
  expect(won.map(({ layer, from }) => `${layer}: ${from}`)).toEqual([
    'flag: --listen',
    'environment: SBOX_FETCH_ALLOW',
    'file: b.yaml',
    'file: a.yaml',
    'default: default',
  ]);
  expect(settings.explain('fetch.timeout_ms').value).toBe(2);
});

test('a variable for a text is that text, whatever it looks like', () => {
  for (const text of ['0', 'true', '[', '1e5', ' a: b '])
    expect(read({ environment: { SBOX_LISTEN: text } }).value.listen).toBe(text);
});

test('a free object is one value: its keys are not settings', () => {
  const { value, explain } = read({ files: [file('headers: {x-a: "1"}')] });
  expect(value.headers).toEqual({ 'x-a': '1' });
  expect(explain('headers').from).toBe('a.yaml');
  expect(leafKeys(schema)).toEqual(['listen', 'fetch.timeout_ms', 'fetch.allow', 'fetch.proxy', 'headers']);
});

describe('what is wrong is named with the place where it was set', () => {
  test.each([
    ['another type', { files: [file('fetch: {timeout_ms: soon}')] }, 'fetch.timeout_ms (a.yaml)'],
    [
      'another type in a variable',
      { environment: { SBOX_FETCH_TIMEOUT_MS: 'soon' } },
      'fetch.timeout_ms (SBOX_FETCH_TIMEOUT_MS)',
    ],
    ['another type in a flag', { flags: { 'fetch.allow': 'all' } }, 'fetch.allow (--fetch.allow)'],
    ['an unknown key', { files: [file('listne: a:1')] }, 'listne (a.yaml)'],
    ['an unknown key inside', { files: [file('fetch: {timeout: 1}')] }, 'fetch.timeout (a.yaml)'],
    ['a value in the place of a group', { files: [file('fetch: 7')] }, 'fetch (a.yaml)'],
    ['an empty file, but for a list', { files: [file('- a')] }, 'a.yaml must hold keys and values'],
    ['broken YAML', { files: [file('a: [')] }, 'a.yaml is not valid YAML'],
  ])('%s', (_, input, place) => {
    const error = failure(() => read(input));
    expect(error.code).toBe('settings.invalid');
    expect(error.message).toContain(place);
  });

  test('every unknown key is named, and what a value may be', () => {
    const error = failure(() => read({ files: [file('listne: a\nfetch: {timeout: 1, allow: 7}')] }));
    const { keys } = error.details as { keys: { key: string; message: string }[] };
    expect(keys.map(({ key, message }) => `${key}: ${message}`).toSorted()).toEqual([
      'fetch.allow: Invalid input: expected array, received number',
      'fetch.timeout: no such key',
      'listne: no such key',
    ]);
  });

  test('broken YAML in a variable too', () => {
    const error = failure(() => read({ environment: { SBOX_FETCH_ALLOW: '[' } }));
    expect(error).toMatchObject({ code: 'settings.invalid', message: expect.stringContaining('SBOX_FETCH_ALLOW') });
  });

  test('an empty file is no mistake', () => {
    expect(read({ files: [file(''), file('# only words\n')] }).value.listen).toBe('127.0.0.1:4780');
  });

  test('names of prototypes are unknown keys like any other', () => {
    expect(failure(() => read({ files: [file('__proto__: {listen: x}')] })).code).toBe('settings.invalid');
    expect(failure(() => read({ files: [file('headers: {__proto__: x}')] })).message).toContain('.headers: no field');
    expect(failure(() => read({ files: [file('constructor: {prototype: {polluted: 1}}')] })).code).toBe(
      'settings.invalid',
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
