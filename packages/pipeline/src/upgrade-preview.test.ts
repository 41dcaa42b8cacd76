import { ProblemError } from '@sbox/core';
import { renderSingBox, type EngineTarget, type Json, type Rendered } from '@sbox/engines/sing-box/render';
import { expect, test } from '@jest/globals';
import { exampleNode } from './testing/nodes.ts';
import { upgradePreview } from './upgrade-preview.ts';

const target = (version: string): EngineTarget => ({
  engine: 'sing-box',
  version,
  tags: ['with_quic', 'with_wireguard', 'with_gvisor', 'with_clash_api'],
});
const [from, to] = [target('1.13.21'), target('1.14.4')];
const rendered = (config: Json, more: Partial<Rendered> = {}): Rendered => ({
  config,
  text: JSON.stringify(config),
  left_out: [],
  warnings: [],
  files: [],
  once: [],
  nodes: [],
  ...more,
});
const node = { type: 'socks', tag: 'a', server: '192.0.2.1', server_port: 1 };

test('a config of ours moves without a word', () => {
  const nodes = [exampleNode(0), exampleNode(1)];
  const preview = upgradePreview({ from, to, render: (engine) => renderSingBox(nodes, engine) });
  expect(preview).toMatchObject({
    from: '1.13.21',
    to: '1.14.4',
    ok: true,
    problem: null,
    deprecations: [],
    findings: [],
    lost: [],
  });
});

test('names what the new version refuses, and what rendering rewrites', () => {
  const old = { outbounds: [node], dns: { servers: [{ tag: 'd', address: 'local' }], independent_cache: true } };
  const kept = upgradePreview({ from, to, render: () => rendered(old) });
  expect(kept.ok).toBe(false);
  expect(kept.deprecations.map(({ name, path, effect }) => `${name} ${path} ${effect}`)).toEqual([
    'legacy-dns-transport dns.servers[0].address fails',
    'independent-dns-cache dns.independent_cache warns',
  ]);
  const now = { outbounds: [node], dns: { servers: [{ tag: 'd', type: 'local' }] } };
  const rewritten = upgradePreview({ from, to, render: ({ version }) => rendered(version === to.version ? now : old) });
  expect(rewritten).toMatchObject({
    ok: true,
    deprecations: [],
    rewritten: [{ name: 'legacy-dns-transport' }, { name: 'independent-dns-cache' }],
  });
  expect(rewritten.changes?.summary).toBe('DNS changed (1 server changed)');
});

test('names nodes that come and go', () => {
  const left = { node_id: 'n_1', tag: 'x', code: 'node.unsupported' as const, reason: 'sing-box 1.13 has no snell' };
  const preview = upgradePreview({
    from,
    to,
    render: ({ version }) => rendered({ outbounds: [node] }, { left_out: version === from.version ? [left] : [] }),
  });
  expect(preview).toMatchObject({ ok: true, gained: [left], lost: [] });
});

test('says what works on and does something else', () => {
  const rule_set = [{ type: 'inline', tag: 's', rules: [{ ip_cidr: '192.0.2.0/24' }, { domain: 'y.test' }] }];
  const config = {
    outbounds: [node, { type: 'direct', tag: 'direct' }],
    route: { rule_set, rules: [{ domain: 'x.test', rule_set: 's', outbound: 'direct' }], final: 'a' },
  };
  const tests = [{ name: 'x goes out directly', destination: 'x.test', expect: { verdict: 'direct' as const } }];
  const preview = upgradePreview({ from, to, render: () => rendered(config), tests });
  expect(preview).toMatchObject({
    ok: false,
    behaviour: [{ name: 'rule-set-merging', path: 'route.rules[0].rule_set' }],
    broken_tests: [{ name: 'x goes out directly', detail: 'verdict direct was expected, and it is proxy' }],
  });
});

test('a version that cannot have it is the answer, not an error', () => {
  const render = ({ version }: EngineTarget): Rendered => {
    if (version === to.version) throw new ProblemError('config.no-nodes', 'sing-box 1.14.4 can run none of 3 nodes');
    return rendered({ outbounds: [node] });
  };
  expect(upgradePreview({ from, to, render })).toMatchObject({
    ok: false,
    problem: { code: 'config.no-nodes' },
    changes: null,
  });
});

test('what the engine itself says counts', () => {
  const render = (): Rendered => rendered({ outbounds: [node] });
  const check = (): { ok: boolean; message: string } => ({ ok: false, message: 'outbounds[0]: no' });
  expect(upgradePreview({ from, to, render, check })).toMatchObject({
    ok: false,
    engine_check: { message: 'outbounds[0]: no' },
  });
});
