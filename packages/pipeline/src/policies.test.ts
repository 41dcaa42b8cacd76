import { expect, test } from '@jest/globals';
import type { Node } from '@sbox/formats';
import { policySchema } from '@sbox/protocol/pipeline';
import { applyPolicies, countryPolicy, limitPolicy, protocolPolicy, readyPolicies } from './policies.ts';
import { runPipeline } from './run-pipeline.ts';
import { exampleNode } from './testing/nodes.ts';

const piped = (...nodes: Partial<Node>[]) =>
  runPipeline([{ subscription: 'main', nodes: nodes.map((fields, number) => exampleNode(number, fields)) }], []).nodes;
const found = (...[nodes, policies]: Parameters<typeof applyPolicies>): string[] =>
  applyPolicies(nodes, policies).map(({ policy, node, count }) => `${policy}: ${node?.tag ?? count ?? ''}`);

test('the ready policies find what they are for, and nothing in a good node', () => {
  const nodes = piped(
    { tag: 'good' },
    { tag: 'weak', type: 'shadowsocks', method: 'RC4-MD5', tls: { enabled: false } },
    { tag: 'strong', type: 'shadowsocks', method: 'aes-128-gcm', tls: { enabled: false } },
    { tag: 'blind', tls: { enabled: true, insecure: true } },
    { tag: 'plain', type: 'vless', tls: { enabled: false } },
    { tag: 'open', type: 'socks', password: '' },
    { tag: 'near', server: '192.168.1.1' },
    { tag: 'old', type: 'hysteria' },
  );
  expect(found(nodes, readyPolicies)).toEqual([
    'weak-cipher: weak',
    'insecure-tls: blind',
    'no-encryption: plain',
    'no-credentials: open',
    'private-address: near',
    'old-protocol: old',
  ]);
  for (const policy of readyPolicies) expect(policySchema.parse(policy)).toEqual(policy);
});

test('only some countries and protocols', () => {
  const nodes = piped({ tag: 'DE 1' }, { tag: 'RU 1' }, { tag: 'Fast', type: 'tuic' });
  expect(found(nodes, [countryPolicy(['DE']), protocolPolicy(['vless', 'trojan'])])).toEqual([
    'country: RU 1',
    'country: Fast',
    'protocol: Fast',
  ]);
});

test('how many there may be', () => {
  expect(found(piped({}, {}), [limitPolicy(1)])).toEqual(['limit: 2']);
  expect(found(piped({}, {}), [limitPolicy(2)])).toEqual([]);
  expect(found([], [limitPolicy(2)])).toEqual(['limit: 0']);
  expect(() => applyPolicies([], [limitPolicy(1, 2)])).toThrow('at least more than at most');
});

test('a policy that is switched off finds nothing', () => {
  expect(
    applyPolicies(
      piped({ type: 'hysteria' }),
      readyPolicies.map((one) => ({ ...one, enabled: false })),
    ),
  ).toEqual([]);
});
