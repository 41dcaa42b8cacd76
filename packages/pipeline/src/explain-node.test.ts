import { expect, test } from '@jest/globals';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { explainNode, traceNode } from './explain-node.ts';
import { runPipeline } from './run-pipeline.ts';
import { exampleNode } from './testing/nodes.ts';

const sources = [
  { subscription: 'home', nodes: [exampleNode(0), exampleNode(1)], lines: [3, 7] },
  { subscription: 'work', nodes: [exampleNode(1, { tag: 'the same' }), exampleNode(2)] },
];
const pipeline: Pipeline = [
  { operator: 'tag', match: { country: 'NL' }, labels: ['flat'] },
  { operator: 'rename', match: { country: 'NL' }, template: 'Dutch' },
  { operator: 'filter', drop: { country: 'HK' } },
  { operator: 'group', tag: 'flat', type: 'urltest', match: { label: 'flat' } },
];

test('a node that is kept: from its lines to its groups', () => {
  const explanation = explainNode(runPipeline(sources, pipeline), 'Dutch');
  expect(explanation).toEqual({
    node_id: exampleNode(1).id,
    sources: [
      { subscription: 'home', tag: exampleNode(1).tag, line: 7 },
      { subscription: 'work', tag: 'the same' },
    ],
    protocol: 'trojan',
    country: 'NL',
    steps: [
      { index: 0, operator: 'tag', what: 'its labels are flat now' },
      { index: 1, operator: 'rename', what: 'is called "Dutch" now' },
      { index: -1, operator: 'end', what: '"Dutch" of home is the same node' },
    ],
    verdict: 'kept',
    tag: 'Dutch',
    labels: ['flat'],
    groups: ['flat'],
    is_partial: false,
  });
});

test('a node that was dropped, by the name of its subscription', () => {
  expect(explainNode(runPipeline(sources, pipeline), exampleNode(2).tag)).toMatchObject({
    verdict: 'dropped',
    steps: [{ index: 2, operator: 'filter', what: 'drop asks for country HK' }],
    groups: [],
  });
});

test('a node that is not there', () => {
  expect(explainNode(runPipeline(sources, pipeline), 'nobody')).toBeUndefined();
  expect(traceNode(sources, pipeline, {}, 'nobody')).toBeUndefined();
});

test('one node of many is traced in full', () => {
  const many = [{ subscription: 'main', nodes: Array.from({ length: 3000 }, (_, number) => exampleNode(number)) }];
  const rename: Pipeline = [{ operator: 'rename', prefix: '* ' }];
  const last = exampleNode(2999);
  expect(explainNode(runPipeline(many, rename), last.id)).toMatchObject({ steps: [], is_partial: true });
  expect(traceNode(many, rename, {}, `* ${last.tag}`)).toMatchObject({
    steps: [{ what: `is called "* ${last.tag}" now` }],
    is_partial: false,
  });
});
