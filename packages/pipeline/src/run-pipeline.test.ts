import { expect, test } from '@jest/globals';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { followChoice } from './groups.ts';
import { hostsToResolve, runPipeline } from './run-pipeline.ts';
import { exampleNode } from './testing/nodes.ts';

const list = (count: number, subscription = 'main') => ({
  subscription,
  nodes: Array.from({ length: count }, (_, number) => exampleNode(number)),
});

test('without operators the nodes come out as they are, each once', () => {
  const result = runPipeline([list(3, 'home'), list(4, 'work')], []);
  expect(result.nodes.map(({ node, subscription }) => [node.tag, subscription])).toEqual([
    [exampleNode(0).tag, 'home'],
    [exampleNode(1).tag, 'home'],
    [exampleNode(2).tag, 'home'],
    [exampleNode(3).tag, 'work'],
  ]);
  expect(result.trace).toHaveLength(1);
  expect(result.trace[0]).toMatchObject({ index: -1, in: 7, out: 4 });
});

test('a provider that renames all its nodes changes no group that does not ask for names', () => {
  const pipeline: Pipeline = [
    { operator: 'country', match: { host: ['s1.example.net', 's6.example.net'] }, set: 'NL' },
    { operator: 'group', tag: 'vless', type: 'urltest', match: { protocol: 'vless' } },
    {
      operator: 'group',
      tag: 'port',
      type: 'selector',
      match: { port: 443, host: '*.example.net' },
      groups: ['vless'],
    },
    { operator: 'group', tag: 'nl', type: 'selector', match: { host: ['s1.example.net', 's6.example.net'] } },
  ];
  const before = list(20);
  const after = { ...before, nodes: before.nodes.map((node, n) => ({ ...node, tag: `new name ${20 - n}` })) };
  expect(runPipeline([after], pipeline).groups).toEqual(runPipeline([before], pipeline).groups);
});

test('a kept choice follows the id, else the same name in the same subscription', () => {
  const { nodes } = runPipeline([list(3, 'home')], []);
  const [first] = nodes;
  const choice = { node_id: first?.node.id ?? '', subscription: 'home', tag: 'what it was called' };
  expect(followChoice(choice, nodes)).toBe(first);
  const other = { node_id: 'n_gone', subscription: 'home', tag: exampleNode(2).tag };
  expect(followChoice(other, nodes)?.node.id).toBe(exampleNode(2).id);
  expect(followChoice({ ...other, subscription: 'work' }, nodes)).toBeUndefined();
});

test('hosts to resolve are those of the nodes that resolve operators get, each once, without addresses', () => {
  const sources = [{ subscription: 'main', nodes: [...list(200).nodes, exampleNode(200, { server: '192.0.2.1' })] }];
  const pipeline: Pipeline = [
    { operator: 'filter', keep: { host: ['s1.example.net', 's2.example.net', '192.0.2.1'] } },
    { operator: 'resolve', on_failure: 'drop', match: { host: 's1.example.net' } },
    { operator: 'resolve' },
  ];
  expect(hostsToResolve(sources, pipeline)).toEqual(['s1.example.net', 's2.example.net']);
  expect(hostsToResolve(sources, [])).toEqual([]);
});

test('the trace is bounded and says how much it left out', () => {
  const { trace } = runPipeline([list(50)], [{ operator: 'filter', drop: {} }], { maxEffects: 10 });
  expect(trace[0]).toMatchObject({ index: 0, operator: 'filter', in: 50, out: 0, unlisted: 40 });
  expect(trace[0]?.effects).toHaveLength(10);
});

test('a trace names no secrets', () => {
  const pipeline: Pipeline = [
    { operator: 'set', server_name: 'www.example.org', insecure: true },
    { operator: 'exclude', preset: 'malformed' },
    { operator: 'rename', template: '{host}' },
    { operator: 'filter', drop: { credentials: true } },
  ];
  expect(JSON.stringify(runPipeline([list(5)], pipeline).trace)).not.toContain('secret-password');
});

test('an expression that takes too long ends the run', () => {
  let now = 0;
  const clock = { monotonic: () => (now += 5) };
  const pipeline: Pipeline = [{ operator: 'filter', drop: { name: '[ab]*a[ab]{200}[cd]' } }];
  const run = () => runPipeline([list(5000)], pipeline, { clock, maxMs: 100 });
  expect(run).toThrow(expect.objectContaining({ code: 'pipeline.too-slow' }));
  expect(() => hostsToResolve([list(5000)], pipeline, { clock, maxMs: 100 })).toThrow('longer than 100 ms');
  expect(runPipeline([list(5000)], pipeline, { clock, maxMs: 5000 }).nodes).toHaveLength(5000);
});
