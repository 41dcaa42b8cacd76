import type { NodeConditions, NodeQuery } from '@sbox/protocol/pipeline';
import { listOf } from './compile-query.ts';

const maxLength = 200;
const maxValues = 5;

/** A query in few words, for a trace: `country DE or NL, not name like x2`. */
export function describeQuery({ any, not, ...conditions }: NodeQuery): string {
  const parts = [
    ...describeConditions(conditions),
    ...(any === undefined ? [] : [any.map((inner) => `(${describeConditions(inner).join(', ')})`).join(' or ')]),
    ...listOf(not).map((inner) => `not ${describeConditions(inner).join(', ')}`),
  ];
  const text = parts.join(', ') || 'every node';
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}

const describeConditions = (conditions: NodeConditions): string[] =>
  Object.entries(conditions).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name === 'expression') return [String(value)];
    if (typeof value === 'boolean') return [value ? name : `no ${name}`];
    const values = listOf<string | number>(value).map(String);
    const more = values.length > maxValues ? ` or ${values.length - maxValues} more` : '';
    return [`${words[name] ?? name} ${values.slice(0, maxValues).join(' or ')}${more}`];
  });

const words: Readonly<Record<string, string>> = { name: 'name like', names: 'name' };
