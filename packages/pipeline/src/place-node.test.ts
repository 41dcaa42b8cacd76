import { expect, test } from '@jest/globals';
import { placeNode } from './place-node.ts';
import { routedConfig } from './testing/routed-config.ts';

const rendered = {
  config: routedConfig,
  nodes: [{ tag: 'de 1', node_id: 'n_de' }],
  left_out: [{ node_id: 'n_x', tag: 'x', code: 'node.unsupported' as const, reason: 'sing-box has no mieru' }],
};

test('names every group that holds a node, and the rules that lead there', () => {
  expect(placeNode({ node_id: 'n_de' }, rendered)).toEqual({
    tag: 'de 1',
    groups: ['select', 'auto'],
    rules: [{ index: 5, text: String.raw`domain_regex (?i)^DE\d+\. -> de 1` }],
    left_out: null,
  });
});

test('says why an engine left a node out', () => {
  expect(placeNode({ node_id: 'n_x' }, rendered)).toEqual({
    tag: null,
    groups: [],
    rules: [],
    left_out: 'sing-box has no mieru',
  });
});

test('a dropped node is nowhere', () => {
  expect(placeNode({ node_id: 'n_gone' }, rendered)).toEqual({ tag: null, groups: [], rules: [], left_out: null });
});
