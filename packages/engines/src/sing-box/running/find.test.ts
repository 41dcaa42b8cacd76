import { expect, test } from '@jest/globals';
import { findSingBox, type EngineSearch } from './find.ts';

/** A machine with these programs; each answers `version` with its text. */
const machine =
  (programs: Readonly<Record<string, string>>): EngineSearch['run'] =>
  async (file) =>
    await Promise.resolve(programs[file]);

const version = (text: string): string => `sing-box version ${text}\n\nTags: with_quic,with_clash_api\n`;

test('the first on PATH that is new enough', async () => {
  const run = machine({
    '/a/sing-box': version('1.10.7'),
    '/b/sing-box': version('1.14.4'),
    '/c/sing-box': version('1.13.0'),
  });
  expect(await findSingBox({ env: { PATH: 'relative:/nowhere:/a:/b:/c' }, run })).toEqual({
    path: '/b/sing-box',
    version: '1.14.4',
    tags: ['with_quic', 'with_clash_api'],
  });
});

test('what is named wins over the variable, the variable over PATH', async () => {
  const run = machine({
    '/named': version('1.12.0'),
    '/variable': version('1.13.0'),
    '/p/sing-box': version('1.14.0'),
  });
  const env = { SBOX_SING_BOX: '/variable', PATH: '/p' };
  expect((await findSingBox({ named: '/named', env, run })).path).toBe('/named');
  expect((await findSingBox({ env, run })).path).toBe('/variable');
  expect((await findSingBox({ env: { ...env, SBOX_SING_BOX: '' }, run })).path).toBe('/p/sing-box');
});

test.each([
  ['nothing on PATH', { PATH: '/empty' }, undefined, 'engine.not-found'],
  ['no PATH at all', {}, undefined, 'engine.not-found'],
  ['only an old one on PATH', { PATH: '/old' }, undefined, 'engine.not-found'],
  ['an old one that is named', {}, '/old/sing-box', 'engine.too-old'],
  ['another program that is named', {}, '/other', 'engine.not-found'],
])('%s', async (_, env, named, code) => {
  const run = machine({ '/old/sing-box': version('1.10.7'), '/other': 'hello' });
  await expect(findSingBox({ env, named, run })).rejects.toMatchObject({ code });
});
