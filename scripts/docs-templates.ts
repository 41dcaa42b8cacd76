// Pages of docs/templates, from the ready templates, their examples and the rule presets.
import { dialectRows } from '../packages/engines/src/sing-box/render.ts';
import type { ParamSpec, Template } from '../packages/protocol/src/pipeline/index.ts';
import { fillTemplate, readyTemplates, rulePresets } from '../packages/pipeline/src/index.ts';
import { templateExamples } from '../packages/pipeline/src/templates/template-examples.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (value: unknown): string => `\`${cell(JSON.stringify(value))}\``;

function typeOf(spec: ParamSpec | Extract<ParamSpec, { type: 'list' }>['items']): string {
  if (spec.type === 'enum') return spec.values.map((value) => `\`${value}\``).join(', ');
  if (spec.type === 'object') {
    const fields = Object.entries(spec.fields).map(([name, field]) => `\`${name}\` (${typeOf(field)})`);
    return `objects of ${fields.join(', ')}`;
  }
  if (spec.type === 'list') return `list of ${typeOf(spec.items)}`;
  if (!('min' in spec || 'max' in spec)) return spec.type;
  const { min, max } = spec as { min?: number; max?: number };
  if (spec.type === 'int' && min !== undefined && max !== undefined) return `int, ${min} to ${max}`;
  return spec.type;
}

function paramRow([name, spec]: readonly [string, ParamSpec]): string {
  const preset = 'default' in spec && spec.default !== undefined ? code(spec.default) : '';
  const need = preset === '' && spec.optional !== true ? 'has to be given' : preset;
  return `| \`${name}\` | ${cell(typeOf(spec))} | ${need} | ${cell(spec.description)} |`;
}

function templatePage({ name, description, params }: Template): string {
  const examples = (templateExamples[name] ?? []).flatMap(({ title, params: values }) => [
    `${title}:`,
    '',
    ...jsonBlock(values),
  ]);
  return [
    `# Template ${name}`,
    '',
    'Made by `node scripts/generate-docs.ts` from the code; do not edit.',
    '',
    description,
    '',
    '## Examples',
    '',
    'Parameters; every example is rendered and checked by each supported engine in the tests.',
    '',
    ...examples,
    '## Parameters',
    '',
    '| parameter | type | default | what |',
    '|---|---|---|---|',
    ...Object.entries(params).map(paramRow),
    '',
  ].join('\n');
}

function presetRow([name, { description, rule_sets }]: readonly [string, (typeof rulePresets)[string]]): string {
  const sets = Object.entries(rule_sets).map(([tag, url]) => `[${tag}](${url})`);
  return `| \`${name}\` | ${cell(description)} | ${sets.join(', ')} |`;
}

/** What the overview shows: filled, it is what stands below it. */
const example: Template = {
  name: 'office',
  engine: 'sing-box',
  description: 'A port for the office.',
  params: {
    port: { type: 'port', description: 'The port.', default: 1080 },
    direct: {
      type: 'list',
      description: 'Domains without a node.',
      items: { type: 'string', description: 'A domain.' },
      default: [],
    },
  },
  document: {
    inbounds: [{ type: 'mixed', tag: 'in', listen_port: '${port}' }],
    outbounds: [
      { type: 'selector', tag: 'select', outbounds: ['$nodes'] },
      { $nodes: true },
      { type: 'direct', tag: 'direct' },
    ],
    route: {
      rules: [{ $when: '${direct}', $then: { domain_suffix: '${direct}', action: 'route', outbound: 'direct' } }],
      final: 'select',
    },
  },
};
const exampleParams = { port: 2080, direct: ['example.org'] };

const jsonBlock = (value: unknown): string[] => ['```json', JSON.stringify(value, undefined, 2), '```', ''];

function overviewPage(): string {
  return [
    '# Templates',
    '',
    'Made by `node scripts/generate-docs.ts` from the code; do not edit.',
    '',
    'A template is a sing-box document with places for nodes and groups, and with typed parameters. It is written once, in',
    'the dialect of the newest sing-box; older engines get it in their own words, or a reason why that cannot be.',
    '',
    ...jsonBlock(example),
    'With these parameters',
    '',
    ...jsonBlock(exampleParams),
    'nodes and groups are put into',
    '',
    ...jsonBlock(fillTemplate(example, exampleParams)),
    '## Ready templates',
    '',
    '| template | what for |',
    '|---|---|',
    ...readyTemplates.map(({ name, description }) => `| [${name}](${name}.md) | ${cell(description)} |`),
    '',
    'Those for clients are one document that starts from different settings: all of them take all parameters, so a gateway',
    'can block advertising, and a desktop can have the rules of a region.',
    '',
    '## Places',
    '',
    'Among the items of `outbounds`, `{"$nodes": true}` is where nodes go and `{"$groups": true}` where groups go. Among the',
    'members of a group, `"$nodes"` and `"$groups"` stand for all their names. A group may say with `"$empty"` what stands in',
    'it when no member is left: `direct`, `block`, `omit` (the group goes, also out of groups that name it) or `fail`.',
    '',
    '## Words of a template',
    '',
    '| word | what stands there then |',
    '|---|---|',
    '| `"${name}"` | the parameter, with its type; inside a longer text, its text. `$${` is a plain `${`. |',
    '| `{"$when": condition, "$then": a, "$else": b}` | one of the two, or nothing |',
    '| `{"$each": list, "$as": "item", "$do": a}` | `a` for each item, with `${item}` or `${item.field}` |',
    '| `{"$rules": "ru", "$part": "own", "$with": {...}}` | the rules of a preset, each with these fields |',
    '| `{"$fail": "words"}` | nothing: the parameters are refused |',
    '',
    'A condition is a parameter, or `{"$eq": [a, b]}`, `{"$in": [a, list]}`, `{"$not": c}`, `{"$all": [...]}`, `{"$any": [...]}`.',
    'A list that stands in a list is poured into it. A parameter that was not given takes its place away with it.',
    '',
    'What a template does not foresee is done by a JSON patch (RFC 6902) over the filled document.',
    '',
    '## Older engines',
    '',
    'A template is written for sing-box 1.14. These parts get other words for engines before the version:',
    '',
    '| part, and what it becomes | before |',
    '|---|---|',
    ...dialectRows.filter(({ since }) => since < 90).map(({ feature, since }) => `| ${cell(feature)} | 1.${since} |`),
    '',
    'What is newer than the engine besides is left off with a warning where it only tunes, and refused where the document',
    'would mean something else without it.',
    '',
    '## An existing configuration',
    '',
    'An `/etc/sing-box/config.json` can be adopted: it becomes a template whose first render, without subscriptions, is the',
    'same document. Nodes of subscriptions then stand behind its own outbounds, and join the groups that the parameter',
    '`nodes_in` names (at first the group that most connections go through). Adopting lists the outbounds that are nodes.',
    '',
    '## Presets of rules',
    '',
    'The manager mirrors rule-sets, and they travel with the config, so that an engine starts with no network.',
    '',
    '| preset | what | rule-sets |',
    '|---|---|---|',
    ...Object.entries(rulePresets).map(presetRow),
    '',
  ].join('\n');
}

/** Files of docs/templates by name. */
export const templatePages = (): Readonly<Record<string, string>> => ({
  'README.md': overviewPage(),
  ...Object.fromEntries(readyTemplates.map((template) => [`${template.name}.md`, templatePage(template)])),
});
