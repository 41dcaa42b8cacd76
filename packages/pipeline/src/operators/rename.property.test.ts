import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import type { Pipeline } from '@sbox/protocol/pipeline';
import fc from 'fast-check';
import { runPipeline } from '../run-pipeline.ts';
import { exampleNode } from '../testing/nodes.ts';
import { validatePipeline } from '../validate-pipeline.ts';

const sources = [{ subscription: 'main', nodes: Array.from({ length: 5 }, (_, number) => exampleNode(number)) }];
const pieces = (...own: string[]) =>
  fc
    .array(fc.oneof(fc.constantFrom(...own), fc.string({ unit: 'grapheme', maxLength: 3 })), { maxLength: 8 })
    .map((parts) => parts.join(''));

test('whatever is written in patterns, replacements and templates is refused when it is saved or runs', () => {
  const rename = fc.record({
    operator: fc.constant('rename'),
    replace: fc.array(
      fc.record({
        pattern: pieces('(', ')', '.', '*', '\\d', '(?i)', '[', ']', '{2}', '|', '?', '(?P<x>a)', '^', '$', '\\'),
        with: pieces('$', '$1', '$0', '$&', '$<', '$<x>', '${x}', '$$', '\\', '\\1', '$99', '$`', "$'"),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    template: fc.option(pieces('{', '}', '{name}', '{{', '{index:3}', '{x}'), { nil: undefined }),
  });
  fc.assert(
    fc.property(rename, (operator) => {
      let pipeline: Pipeline;
      try {
        pipeline = validatePipeline([operator]);
      } catch (error) {
        expect(error).toBeInstanceOf(ProblemError);
        return;
      }
      expect(runPipeline(sources, pipeline).nodes).toHaveLength(5);
    }),
    { numRuns: 3000 },
  );
});
