import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  nodeQuerySchema,
  operatorDocs,
  operatorSchema,
  type OperatorName,
  policySchema,
} from '../packages/protocol/src/pipeline/index.ts';
import { expressionLimits, expressionVariables, nodeFieldTypes } from '../packages/pipeline/src/expressions/index.ts';
import { countryPolicy, readyExpressions, readyPolicies } from '../packages/pipeline/src/policies.ts';
import { readOperatorCases, type OperatorCase } from '../packages/pipeline/src/testing/operator-cases.ts';
import * as z from 'zod/mini';

const cases = path.join(import.meta.dirname, '../packages/pipeline/src/operators/cases');
const maxCases = 4;

interface Shape {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly items?: Shape;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
}

const shapeOf = (schema: z.ZodMiniType): Shape => {
  const { $ref, $defs, ...shape } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
  return $defs?.[$ref?.split('/').at(-1) ?? ''] ?? shape;
};
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const head = (title: string): string =>
  `# ${title}\n\nMade by \`node scripts/generate-docs.ts\` from the code; do not edit.\n`;

function kind({ type, enum: words, const: only, anyOf, items, $ref, properties }: Shape): string {
  if ($ref?.endsWith('/NodeQuery')) return '[query](queries.md)';
  if (words) return words.map((word) => `\`${String(word)}\``).join(', ');
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (anyOf?.length === 2 && anyOf[1]?.type === 'array' && kind(anyOf[1].items ?? {}) === kind(anyOf[0] ?? {}))
    return `${kind(anyOf[0] ?? {})}, or a list`;
  if (anyOf) return [...new Set(anyOf.map(kind))].join(' or ');
  if (type === 'array') return `list of ${kind(items ?? {})}`;
  if (properties && 'expression' in properties) return 'conditions';
  return properties ? `{ ${Object.keys(properties).join(', ')} }` : (type ?? 'any');
}

const fieldTable = ({ properties = {}, required = [] }: Shape): string[] => [
  '| field | type | what |',
  '|---|---|---|',
  ...Object.entries(properties)
    .filter(([name]) => name !== 'operator')
    .map(([name, shape]) => {
      const need = required.includes(name) ? 'Required. ' : '';
      return `| \`${name}\` | ${cell(kind(shape))} | ${need}${cell(shape.description ?? '')} |`;
    }),
  '',
];

const block = (language: string, text: string): string[] => ['```' + language, text, '```', ''];

const caseSection = ({ title, nodes, operators, expected }: OperatorCase): string[] => [
  `### ${title.charAt(0).toUpperCase()}${title.slice(1)}`,
  '',
  ...block('text', nodes),
  ...block('json', operators),
  ...block('text', expected),
];

const caseSections = (name: string): string[] =>
  readOperatorCases(readFileSync(path.join(cases, `${name}.txt`), 'utf8'))
    .filter(({ expected }) => !expected.startsWith('!'))
    .slice(0, maxCases)
    .flatMap(caseSection);

function operatorPage(name: OperatorName, shape: Shape): string {
  const { summary, text, examples } = operatorDocs[name];
  return [
    head(name),
    summary,
    '',
    ...block('json', examples.map((example) => JSON.stringify(example)).join('\n')),
    text,
    '',
    '## Fields',
    '',
    ...fieldTable(shape),
    '## What comes of it',
    '',
    'Each of these is run by a test; [how to read them](README.md#how-to-read-the-cases).',
    '',
    ...caseSections(name),
  ].join('\n');
}

const queriesPage = (): string =>
  [
    head('Queries'),
    'A query says which nodes are meant. All of its fields must hold; of a list one is enough; `{}` means every node.',
    '',
    ...block('json', '{"country": ["DE", "NL"], "not": {"name": "(?i)premium"}, "port": [443, "8000-8999"]}'),
    ...fieldTable(shapeOf(nodeQuerySchema)),
    '## Regular expressions',
    '',
    'They are those of RE2, so that no expression can take long: no look-around and no back references. They are looked',
    'for anywhere in the text; `^` and `$` tie them to its ends, `(?i)` in front ignores case. One has at most 1,000',
    'characters, a pipeline at most 500 of them. What cannot be used is refused when a pipeline is saved.',
    '',
    '## Expressions',
    '',
    'The same conditions as one line of text, with `and`, `or`, `not` and brackets. Fields are those of queries, with',
    '`name` for the exact name, and one word for one value.',
    '',
    '| written | means |',
    '|---|---|',
    '| `country == DE`, `country != DE` | the value, or not the value |',
    '| `country in (DE, NL)`, `country not in (DE)` | one of the values, or none of them |',
    '| `name ~ "x2"`, `name !~ "x2"` | a regular expression is found, or is not; for `host`, `label` and other text too |',
    '| `port >= 1000`, `port in (443, 8000-8999)` | numbers and ranges |',
    '| `insecure`, `not udp` | fields that are true or false |',
    '',
    'Values with spaces or signs stand in quotes, double or single; `\\"` is a quote in quotes, any other `\\` is itself.',
    '`and` binds more than `or`, `not` more than `and`.',
    '',
    ...caseSections('expression'),
  ].join('\n');

const readme = (): string =>
  [
    head('Operators'),
    'A pipeline is a list of operators. The nodes of all subscriptions of a config go through them one by one; what is',
    'left at the end, with the groups, goes into the config.',
    '',
    ...block(
      'json',
      [
        '[',
        '  {"operator": "exclude", "preset": "useless"},',
        '  {"operator": "filter", "keep": {"country": ["DE", "NL"]}},',
        '  {"operator": "rename", "template": "{flag} {country_name} {country_index:2}"},',
        '  {"operator": "group", "tag": "auto-de", "type": "urltest", "match": {"country": "DE"}}',
        ']',
      ].join('\n'),
    ),
    '| operator | what |',
    '|---|---|',
    ...Object.entries(operatorDocs).map(([name, { summary }]) => `| [${name}](${name}.md) | ${cell(summary)} |`),
    '',
    'Nodes are picked with [queries](queries.md); [policies](policies.md) refuse what must not be. Who knows another tool',
    'finds its words in [coming from](coming-from.md).',
    '',
    '## What always holds',
    '',
    '- The id of a node never changes, whatever is done to its name or its fields. Groups know their members by id.',
    '- At the end every node is there once and every name is unique; names of groups and of engines stay free.',
    '- A node that dials through another one is dropped when that one is: it never goes out directly.',
    '- A pipeline that cannot be used is refused when it is saved, with the place of the operator and what is wrong.',
    '- `sboxmgr explain` shows what each operator did to a node and why.',
    '',
    '## How to read the cases',
    '',
    'The first block has the nodes, a line each: `NAME = PROTOCOL HOST:PORT`, then `@SUBSCRIPTION` and other fields where',
    'they matter; `? HOST ADDRESS` is an answer of the resolver. Ids are `n_1`, `n_2` and so on. The second has the',
    'operators, one a line. The third has what comes of it:',
    '',
    '| line | means |',
    '|---|---|',
    '| `= NAME` | a node that is left, with the fields that changed and, in brackets, its labels |',
    '| `group TAG (TYPE): …` | a group with its members |',
    '| `- NAME: …` | a node that was dropped, and why |',
    '| `~ NAME: …` | a node that was changed, and how |',
    '| `! …` | the pipeline is refused |',
    '',
  ].join('\n');

const policiesPage = (): string =>
  [
    head('Policies'),
    'A policy says what must not be in a config: nodes of a kind, too many or too few of them, or anything that can be said',
    'of the rendered config in an expression. `deny` keeps the config from being made, or a version from being published;',
    '`warn` is only said. It changes nothing: that is what operators are for. The manager has policies of its own, see',
    '[policies and drafts](../guide/policies-and-drafts.md); `sboxmgr policy test` and `generate --policies` need none.',
    '',
    ...block('json', JSON.stringify(countryPolicy(['DE', 'NL']), undefined, 2)),
    ...fieldTable(shapeOf(policySchema)),
    '## Ready ones',
    '',
    '| name | verdict | what is wrong with a node that it finds |',
    '|---|---|---|',
    ...readyPolicies.map(({ name, verdict, reason }) => `| \`${name}\` | ${verdict} | ${cell(reason)} |`),
    '',
    '`country`, `protocol` and `limit` take the countries, the protocols and the numbers that are allowed.',
    '',
    'These look at the rendered config. They are off until they are enabled:',
    '',
    '| name | verdict | what is wrong | expression |',
    '|---|---|---|---|',
    ...readyExpressions.map(
      ({ name, verdict, reason, expression }) =>
        `| \`${name}\` | ${verdict} | ${cell(reason)} | \`${cell(expression ?? '')}\` |`,
    ),
    '',
    '## Expressions',
    '',
    'The language is CEL, the Common Expression Language, as in ValidatingAdmissionPolicy of Kubernetes. What is true is',
    'right. `has(x.field)` asks whether a field is there; `x.?field.orValue(y)` reads one that may be missing. An expression',
    'that cannot be evaluated, because it reads what is not there, counts as violated.',
    '',
    '| variable | type | what |',
    '|---|---|---|',
    ...Object.entries(expressionVariables).map(([name, [type, what]]) => `| \`${name}\` | \`${type}\` | ${what} |`),
    '',
    '| field of a node | type |',
    '|---|---|',
    ...Object.entries(nodeFieldTypes).map(([name, type]) => `| \`${name}\` | \`${type}\` |`),
    '',
    'Functions: `size`, `has`, `all`, `exists`, `exists_one`, `filter`, `map`, `contains`, `startsWith`, `endsWith`,',
    '`matches` (RE2), `lowerAscii`, `split`, `join`, `int`, `string`, `timestamp`, `duration`, `cel.bind`. There are no bytes.',
    'An `all`, a negated `exists`, and a side of `&&` name what is wrong; every other expression only says that it is.',
    `At most ${expressionLimits.maxLength} characters, ${expressionLimits.maxAstNodes} parts and ${expressionLimits.maxDepth} levels.`,
    '',
  ].join('\n');

/** The pages of docs/operators that are made from the schemas and the golden cases. */
export function operatorPages(): Readonly<Record<string, string>> {
  const shapes = new Map(
    (shapeOf(operatorSchema).oneOf ?? []).map((shape) => [shape.properties?.['operator']?.const, shape]),
  );
  return {
    'README.md': readme(),
    'queries.md': queriesPage(),
    'policies.md': policiesPage(),
    ...Object.fromEntries(
      (Object.keys(operatorDocs) as OperatorName[]).map((name) => [
        `${name}.md`,
        operatorPage(name, shapes.get(name) ?? {}),
      ]),
    ),
  };
}
