import { expect, test } from '@jest/globals';
import { asRecord, type Json } from '../document.ts';
import { overlay, type Slot } from './overlay.ts';

const live: Slot = {
  mode: 'live',
  ports: {},
  control: { address: '127.0.0.1:9', secret: 's' },
  log: {},
  once: [],
};
const trial: Slot = { ...live, mode: 'trial', ports: { in: 5001 } };
const proxy = (tag: string): Json => ({ type: 'socks', tag, server: '192.0.2.1', server_port: 1 });
const config = (outbounds: readonly Json[], more: Json): Json => ({
  inbounds: [{ type: 'mixed', tag: 'in', listen: '::', listen_port: 1080 }],
  outbounds,
  ...more,
});

test.each([live, trial])('names files where they are on this machine ($mode)', (slot) => {
  const rule_set = [
    { type: 'local', tag: 'a', format: 'binary', path: 'rule-sets/a.srs' },
    { type: 'local', tag: 'b', path: 'rule-sets/b.json' },
    { type: 'inline', tag: 'c', rules: [] },
  ];
  const rendition = config([proxy('one')], { route: { final: 'one', rule_set } });
  const files = { 'rule-sets/a.srs': '/blobs/1', 'rule-sets/b.json': '/blobs/2' };
  expect(asRecord(overlay(rendition, { ...slot, files }).config['route'])['rule_set']).toEqual([
    { type: 'local', tag: 'a', format: 'binary', path: '/blobs/1' },
    { type: 'local', tag: 'b', format: 'source', path: '/blobs/2' },
    { type: 'inline', tag: 'c', rules: [] },
  ]);
  expect(asRecord(rendition['route'])['rule_set']).toBe(rule_set);
});

test.each(['rule-sets/b.srs', '/etc/passwd', '../secret', 'constructor'])('refuses the file %s', (path) => {
  const rendition = config([proxy('one')], { route: { rule_set: [{ type: 'local', tag: 'a', path }] } });
  const files = { 'rule-sets/a.srs': '/blobs/1' };
  expect(() => overlay(rendition, { ...live, files })).toThrow(`route.rule_set[0].path: no file ${path}`);
  // A configuration of the machine itself names its own.
  expect(() => overlay(rendition, live)).not.toThrow();
});

const direct = { type: 'direct', tag: 'direct' };

test.each<[string, Json, boolean]>([
  ['nothing to remember', {}, false],
  ['a choice', { outbounds: [{ type: 'selector', tag: 's', outbounds: ['direct'] }, direct] }, true],
  ['a rule-set that is fetched', { route: { rule_set: [{ type: 'remote', tag: 'a', url: 'https://x' }] } }, true],
  ['a rule-set that is here', { route: { rule_set: [{ type: 'local', tag: 'a', path: 'a.srs' }] } }, false],
  ['the mode', { route: { rules: [{ clash_mode: 'global', outbound: 'direct' }] } }, true],
  ['a cache file of its own', { experimental: { cache_file: { enabled: true, store_rdrc: true } } }, true],
])('a cache file for %s', (_, more, hasCache) => {
  const { experimental } = overlay(config([direct], more), { ...live, cache_path: '/c/cache.db' }).config;
  expect(Object.hasOwn(asRecord(experimental), 'cache_file')).toBe(hasCache);
});
