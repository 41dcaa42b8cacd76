import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import type { NodeQuery } from '@sbox/protocol/pipeline';
import fc from 'fast-check';
import { createPatternCompiler } from '../regex.ts';
import { runPipeline } from '../run-pipeline.ts';
import { exampleNode } from '../testing/nodes.ts';
import { compileQuery } from './compile-query.ts';
import { compileExpression } from './expression.ts';
import type { NodeTest } from './node-fields.ts';

const { nodes } = runPipeline(
  [
    {
      subscription: 'main',
      nodes: Array.from({ length: 60 }, (_, n) =>
        exampleNode(n, n % 7 === 0 ? { tls: { enabled: false }, server_port: 1000 + n } : {}),
      ),
    },
  ],
  [],
);

const words = (
  'country name port udp insecure host nothing and or not in ( ) , == ~ != < >= !~ "x2" \'a DE 443 8000-9000 && ! " ' +
  'label security tls reality'
).split(' ');

test('any text is an expression or a problem with its place', () => {
  const sources = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...words), { maxLength: 25 }).map((parts) => parts.join(' ')),
  );
  fc.assert(
    fc.property(sources, (source) => {
      try {
        nodes.filter(compileExpression(source, createPatternCompiler()));
      } catch (error) {
        expect(error).toBeInstanceOf(ProblemError);
        expect((error as ProblemError).message).toMatch(/^the expression, at character \d+: /);
      }
    }),
    { numRuns: 2000 },
  );
});

interface Both {
  readonly query: NodeQuery;
  readonly text: string;
}

const quoted = (value: string): string => `"${value.replaceAll('"', '\\"')}"`;
const anyOf = (values: readonly (string | number)[]): string =>
  `(${values.map((value) => quoted(String(value))).join(', ')})`;
const some = <T>(...values: T[]): fc.Arbitrary<T[]> => fc.subarray(values, { minLength: 1 });

/** One condition, as a query and as an expression. */
const condition: fc.Arbitrary<Both> = fc.oneof(
  some('DE', 'nl', 'none').map((country): Both => ({ query: { country }, text: `country in ${anyOf(country)}` })),
  some('vless', 'trojan').map((protocol): Both => ({ query: { protocol }, text: `protocol in ${anyOf(protocol)}` })),
  some<string | number>(443, '1000-1020').map((port): Both => ({ query: { port }, text: `port in ${anyOf(port)}` })),
  some('s1.example.net', '*.example.net').map((host): Both => ({ query: { host }, text: `host in ${anyOf(host)}` })),
  some('none' as const, 'tls' as const).map((security): Both => ({
    query: { security },
    text: `security in ${anyOf(security)}`,
  })),
  fc
    .constantFrom('x2', '(?i)FRANKFURT', '\\d\\d$')
    .map((name): Both => ({ query: { name }, text: `name ~ ${quoted(name)}` })),
  fc.boolean().map((udp): Both => ({ query: { udp }, text: `udp == ${udp}` })),
);

test('a query and the same expression find the same nodes', () => {
  const pattern = createPatternCompiler();
  const found = (isFound: NodeTest): string[] => nodes.filter(isFound).map(({ node }) => node.id);
  fc.assert(
    fc.property(condition, condition, condition, (first, second, third) => {
      const query: NodeQuery = { ...first.query, any: [second.query, third.query], not: third.query };
      const text = `${first.text} and (${second.text} or ${third.text}) and not ${third.text}`;
      expect(found(compileExpression(text, createPatternCompiler()))).toEqual(
        found(compileQuery(query, createPatternCompiler())),
      );
      expect(found(compileQuery({ expression: text }, pattern))).toEqual(found(compileQuery(query, pattern)));
    }),
    { numRuns: 80 },
  );
});
