type Schema = Readonly<Record<string, unknown>>;

const maxDepth = 6;

/** A JSON Schema in the short form that people write types in: `{ name: string, nodes?: integer ≥ 0 }`. */
export const schemaText = (schema: Schema): string => print(schema, 0);

function print(schema: Schema, depth: number): string {
  const { $ref, anyOf, oneOf, const: constant, enum: words, type } = schema;
  if (typeof $ref === 'string') return $ref.split('/').at(-1) ?? '';
  if (constant !== undefined) return JSON.stringify(constant);
  if (Array.isArray(words)) return words.map((word) => JSON.stringify(word)).join(' | ');
  const choices = (anyOf ?? oneOf) as readonly Schema[] | undefined;
  if (choices) return choices.map((choice) => print(choice, depth)).join(' | ');
  if (Array.isArray(type)) return type.map((one) => print({ ...schema, type: one as string }, depth)).join(' | ');
  if (type === 'object') return printObject(schema, depth);
  if (type === 'array') return `[${print((schema['items'] ?? {}) as Schema, depth)}]`;
  return `${typeof type === 'string' ? type : 'any'}${limits(schema)}`;
}

function printObject(schema: Schema, depth: number): string {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const { additionalProperties: rest } = schema;
  if (depth === maxDepth) return '{ … }';
  if (properties.length === 0)
    return typeof rest === 'object' && rest !== null ? `{ [name]: ${print(rest as Schema, depth + 1)} }` : '{}';
  const required = new Set((schema['required'] ?? []) as readonly string[]);
  const indent = '  '.repeat(depth + 1);
  const lines = properties.map(
    ([name, inner]) => `${indent}${name}${required.has(name) ? '' : '?'}: ${print(inner, depth + 1)}`,
  );
  return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
}

function limits(schema: Schema): string {
  const { minimum, maximum, pattern, format, default: standard } = schema;
  return [
    typeof format === 'string' ? ` ${format}` : '',
    typeof minimum === 'number' && minimum > Number.MIN_SAFE_INTEGER ? ` ≥ ${minimum}` : '',
    typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? ` ≤ ${maximum}` : '',
    typeof pattern === 'string' && format === undefined ? ` /${pattern}/` : '',
    standard === undefined ? '' : ` = ${JSON.stringify(standard)}`,
  ].join('');
}
