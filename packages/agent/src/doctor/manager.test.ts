import { expect, test } from '@jest/globals';
import { ProblemError, systemClock } from '@sbox/core';
import { joined, look, trouble } from '../../test/check-rig.ts';
import { startManagerDouble } from '../../test/manager-double.ts';
import { startUpstream } from '../../test/reconciler-rig.ts';
import { openStateDouble } from '../../test/state-double.ts';
import { explain, managerCheck } from './manager.ts';

const clock = systemClock;

test('not joined, reached, another one, and one that knows this server no more', async () => {
  await using state = await openStateDouble();
  expect(await trouble(managerCheck, state.scene())).toEqual(['warning: this server has not joined a manager']);
  await using manager = await startManagerDouble({ clock });
  await joined(state, manager);
  expect(await trouble(managerCheck, state.scene())).toEqual([]);
  manager.fault = 'revoked';
  expect(await trouble(managerCheck, state.scene())).toEqual([
    expect.stringContaining('failed: 410: this server was removed'),
  ]);
  await using stranger = await startManagerDouble({ clock });
  const urls = { set: { manager: { urls: [stranger.url] } } };
  expect(await trouble(managerCheck, state.scene(urls))).toEqual([
    expect.stringContaining('failed: pin: another manager'),
  ]);
  const both = { set: { manager: { urls: [stranger.url, 'http://127.0.0.1:1'] } } };
  expect(await trouble(managerCheck, state.scene(both))).toEqual([
    expect.stringContaining('failed: pin'),
    expect.stringContaining('failed: refused: nothing listens'),
  ]);
});

test('every way to it is tried, and each says how it went', async () => {
  await using state = await openStateDouble();
  await using manager = await startManagerDouble({ clock });
  await joined(state, manager);
  await using proxy = await startUpstream();
  const via = (port: number) => ({ set: { manager: { via: 'auto', proxy: `http://127.0.0.1:${port}` } } });
  const findings = await look(managerCheck, state.scene(via(proxy.port)));
  expect(findings.map(({ verdict, about }) => [verdict, about])).toEqual([
    ['ok', manager.url],
    ['ok', `${manager.url} through the proxy`],
  ]);
  const dead = await look(managerCheck, state.scene(via(1)));
  expect(dead.map(({ verdict, about }) => [verdict, about])).toEqual([
    ['ok', manager.url],
    ['warning', `${manager.url} through the proxy`],
  ]);
});

test('addresses that a manifest named are asked too, those of another join are not', async () => {
  await using state = await openStateDouble();
  await using manager = await startManagerDouble({ clock });
  await joined(state, manager);
  const { server_id } = (await state.scene().identity()) ?? {};
  const stored = { order: [], learned: ['http://127.0.0.1:1'], candidates: [] };
  state.write('addresses.json', JSON.stringify({ ...stored, server_id: 'srv_other' }));
  expect(await look(managerCheck, state.scene())).toHaveLength(1);
  state.write('addresses.json', JSON.stringify({ ...stored, server_id }));
  expect(await trouble(managerCheck, state.scene())).toEqual([expect.stringContaining('warning: refused')]);
});

test('one dead address of several warns only', async () => {
  await using state = await openStateDouble();
  await using manager = await startManagerDouble({ clock });
  await joined(state, manager);
  const urls = { set: { manager: { urls: ['http://127.0.0.1:1', manager.url] } } };
  expect(await trouble(managerCheck, state.scene(urls))).toEqual([expect.stringContaining('warning: refused')]);
});

test.each([
  ['ENOTFOUND', /^DNS/],
  ['ECONNREFUSED', /^refused/],
  ['UND_ERR_CONNECT_TIMEOUT', /^no answer/],
  ['ECONNRESET', /^cut/],
  ['CERT_HAS_EXPIRED', /^TLS: the certificate is not valid/],
  ['SELF_SIGNED_CERT_IN_CHAIN', /^TLS: not the certificate/],
])('%s is explained, also from behind several addresses', (code, pattern) => {
  const inner = Object.assign(new Error('x'), { code });
  const cause = new AggregateError([inner]);
  const { detail, fix } = explain('https://m.example', new ProblemError('manager.unreachable', 'x', { cause }), false);
  expect(detail).toMatch(pattern);
  expect(fix).not.toBe('');
});
