import { expect, test } from '@jest/globals';
import type { Operator, Pipeline } from '@sbox/protocol/pipeline';
import fc from 'fast-check';
import { runPipeline, type PipelineResult } from './run-pipeline.ts';
import { exampleNode } from './testing/nodes.ts';

const operators: fc.Arbitrary<Operator> = fc.constantFrom<Operator[]>(
  { operator: 'filter', drop: { name: 'x2' } },
  { operator: 'filter', keep: { expression: 'country in (DE, NL, none) or port > 1' } },
  { operator: 'exclude', preset: 'useless', hosts: ['s3.example.net'] },
  { operator: 'rename', template: '{flag} {country_name}' },
  { operator: 'rename', replace: [{ pattern: '\\d', with: '' }], suffix: ' {index}' },
  { operator: 'rename', template: 'same' },
  { operator: 'dedupe', by: 'endpoint' },
  { operator: 'dedupe', by: 'name', action: 'rename' },
  { operator: 'sort', by: ['country', 'name'] },
  { operator: 'sort', by: 'random', seed: 'x' },
  { operator: 'country', flag: 'replace' },
  { operator: 'set', tcp_fast_open: true, server_name: 'www.example.org' },
  { operator: 'resolve', on_failure: 'drop' },
  { operator: 'limit', count: 3, per: 'country' },
  { operator: 'sample', count: 4 },
  { operator: 'tag', from: ['country', 'protocol'] },
  { operator: 'chain', match: { country: 'DE' }, through: { country: 'NL' }, pick: 'spread' },
  { operator: 'chain', match: {}, through: { country: 'RU' } },
);
const group: Operator = { operator: 'group', tag: 'all', type: 'selector', match: {} };

const sources = fc
  .array(fc.tuple(fc.nat(30), fc.constantFrom('home', 'work'), fc.option(fc.constantFrom('same', 'all', 'direct'))), {
    maxLength: 40,
  })
  .map((picks) =>
    ['home', 'work'].map((subscription) => ({
      subscription,
      nodes: picks
        .filter(([, of]) => of === subscription)
        .map(([number, , tag]) => exampleNode(number, tag === null ? {} : { tag })),
    })),
  );
const addresses = new Map(Array.from({ length: 20 }, (_, n) => [`s${n}.example.net`, ['192.0.2.1']]));
const names = ({ nodes }: PipelineResult): string[] => nodes.map(({ node }) => node.tag);
const ids = ({ nodes }: PipelineResult): string[] => nodes.map(({ node }) => node.id);

test('ids are those of the sources, every id and every name is there once, and nobody dials into nothing', () => {
  fc.assert(
    fc.property(sources, fc.array(operators, { maxLength: 6 }), (given, pipeline) => {
      const result = runPipeline(given, [...pipeline, group], { addresses });
      const known = new Set(given.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
      expect(ids(result).filter((id) => !known.has(id))).toEqual([]);
      expect(new Set(ids(result)).size).toBe(result.nodes.length);
      expect(new Set([...names(result), 'all', 'direct']).size).toBe(result.nodes.length + 2);
      const left = new Set<string | undefined>([undefined, ...ids(result)]);
      expect(result.nodes.filter(({ node }) => !left.has(node.detour))).toEqual([]);
      const detours = new Map(result.nodes.map(({ node }) => [node.id, node.detour]));
      for (const id of ids(result)) {
        let hops = 0;
        for (let at: string | undefined = id; at !== undefined; at = detours.get(at)) hops += 1;
        expect(hops).toBeLessThanOrEqual(result.nodes.length);
      }
      expect(result.groups[0]?.members).toEqual(ids(result).map((node) => ({ node })));
    }),
  );
});

test('every drop is accounted for: what goes into an operator comes out or is in the trace', () => {
  fc.assert(
    fc.property(sources, fc.array(operators, { maxLength: 6 }), (given, pipeline) => {
      for (const step of runPipeline(given, pipeline, { addresses }).trace)
        expect(step.in - step.out).toBe(step.effects.filter(({ kind }) => kind === 'dropped').length);
    }),
  );
});

test('operators that neither sort nor draw keep the order', () => {
  const ordered = operators.filter(({ operator }) => operator !== 'sort');
  fc.assert(
    fc.property(sources, fc.array(ordered, { maxLength: 6 }), (given, pipeline) => {
      const left = ids(runPipeline(given, pipeline, { addresses }));
      // Of several copies any may be the one that is left.
      let found = 0;
      for (const { id } of given.flatMap(({ nodes }) => nodes)) if (id === left[found]) found += 1;
      expect(found).toBe(left.length);
    }),
  );
});

test('doing most operators twice is doing them once', () => {
  const repeatable = operators.filter(
    (operator) => !(operator.operator === 'rename' && operator.suffix !== undefined) && operator.operator !== 'chain',
  );
  fc.assert(
    fc.property(sources, repeatable, (given, operator) => {
      const once: Pipeline = [operator];
      expect(runPipeline(given, [...once, ...once], { addresses }).nodes).toEqual(
        runPipeline(given, once, { addresses }).nodes,
      );
    }),
  );
});

test('the order of lines and another run change no choice that is drawn by lot', () => {
  fc.assert(
    fc.property(sources, (given) => {
      const pipeline: Pipeline = [
        { operator: 'dedupe' },
        { operator: 'sample', count: 5 },
        { operator: 'sort', by: 'random' },
      ];
      const turned = given.map(({ subscription, nodes }) => ({ subscription, nodes: nodes.toReversed() }));
      expect(new Set(ids(runPipeline(turned, pipeline)))).toEqual(new Set(ids(runPipeline(given, pipeline))));
    }),
  );
});
