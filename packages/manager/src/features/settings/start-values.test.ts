import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { fileValues, variableValues } from './start-values.ts';

test('defaults of the file are nested, or by dotted keys', () => {
  const values = { log_level: 'info', 'urltest.interval': '1m', 'params.port': 443 };
  expect(fileValues({ log_level: 'info', urltest: { interval: '1m' }, params: { port: 443 } })).toEqual(values);
  expect(fileValues(values)).toEqual(values);
});

test('variables are text where the setting is text, YAML elsewhere', () => {
  expect(
    variableValues({
      SBOXMGR_DEFAULTS__URLTEST__INTERVAL: '1m',
      SBOXMGR_DEFAULTS__WATCH: '0',
      SBOXMGR_DEFAULTS__PROBE__NEED: '2',
      SBOXMGR_DEFAULTS__PROBE__URLS: '[https://a.example/]',
      SBOXMGR_DEFAULTS__PARAMS__PORT: '443',
      SBOXMGR_DEFAULTS: 'not this one',
      SBOXMGR_URL: 'nor this',
    }),
  ).toEqual({
    'urltest.interval': '1m',
    watch: '0',
    'probe.need': 2,
    'probe.urls': ['https://a.example/'],
    'params.port': 443,
  });
});

test.each([
  [() => fileValues({ log_level: 'loud' }), /defaults\.log_level: /],
  [() => fileValues({ urltest: { every: '1m' } }), /defaults\.urltest\.every: there is no such setting/],
  [() => variableValues({ SBOXMGR_DEFAULTS__WATCHED: '1' }), /no setting watched/],
  [() => variableValues({ SBOXMGR_DEFAULTS__PROBE__NEED: 'two' }), /SBOXMGR_DEFAULTS__PROBE__NEED: /],
  [() => variableValues({ SBOXMGR_DEFAULTS__PROBE__URLS: '[' }), /not valid YAML/],
])('%s is refused', (read, words) => {
  expect(read).toThrow(ProblemError);
  expect(read).toThrow(words);
});
