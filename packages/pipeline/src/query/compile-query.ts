import type { NodeConditions, NodeQuery } from '@sbox/protocol/pipeline';
import type { CompilePattern } from '../regex.ts';
import { compileExpression } from './expression.ts';
import { valueTest, type FieldName, type NodeTest, type Value } from './node-fields.ts';

/** Query fields that are looked up as values, with the field of the node they ask for. */
const valueFields: Readonly<Partial<Record<keyof NodeConditions, FieldName>>> = {
  id: 'id',
  protocol: 'protocol',
  country: 'country',
  names: 'name',
  label: 'label',
  subscription: 'subscription',
  host: 'host',
  port: 'port',
  transport: 'transport',
  security: 'security',
  cipher: 'cipher',
  insecure: 'insecure',
  udp: 'udp',
  credentials: 'credentials',
};

/**
 * Makes one test of a query. All of its fields must hold; an empty query holds for every node.
 * @throws ProblemError `pipeline.invalid`
 */
export function compileQuery(query: NodeQuery, pattern: CompilePattern): NodeTest {
  const tests = conditionTests(query, pattern);
  const any = query.any?.map((inner) => all(conditionTests(inner, pattern)));
  if (any !== undefined) tests.push((piped) => any.some((test) => test(piped)));
  for (const inner of listOf(query.not)) {
    const test = all(conditionTests(inner, pattern));
    tests.push((piped) => !test(piped));
  }
  return all(tests);
}

function conditionTests(conditions: NodeConditions, pattern: CompilePattern): NodeTest[] {
  const tests: NodeTest[] = [];
  for (const [key, field] of Object.entries(valueFields)) {
    const wanted = conditions[key as keyof NodeConditions] as Value | readonly Value[] | undefined;
    if (wanted !== undefined) tests.push(valueTest(field, listOf(wanted)));
  }
  if (conditions.name !== undefined) {
    const patterns = listOf(conditions.name).map(pattern);
    tests.push(({ node }) => patterns.some((one) => one.isIn(node.tag)));
  }
  if (conditions.expression !== undefined) tests.push(compileExpression(conditions.expression, pattern));
  return tests;
}

function all(tests: readonly NodeTest[]): NodeTest {
  const [only, ...others] = tests;
  if (only === undefined) return () => true;
  return others.length === 0 ? only : (piped) => tests.every((test) => test(piped));
}

export const listOf = <T>(value: T | readonly T[] | undefined): readonly T[] => {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
};
