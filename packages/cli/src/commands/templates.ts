import { existsSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { adoptConfig, checkTemplate, hideSecrets, readParams, readyTemplates } from '@sbox/pipeline';
import type { ParamSpec, Template } from '@sbox/protocol/pipeline';
import { arg, flag, text, texts, type Call } from '../command.ts';
import { counted } from '../counted.ts';
import { readText } from '../read-file.ts';
import { findAnyTarget } from '../local/engine-target.ts';
import { prepare } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import { choiceOf, findTemplate, paramsOf, readTemplate } from '../local/templates.ts';
import { sha256 } from '../sha256.ts';
import { writeWhole } from '../write-file.ts';
import { deliver, renderSaying } from './generate.ts';
import { projectOf } from './bounds-options.ts';
import { everyPage, isRemote, withClient } from './remote.ts';

export const list = async (call: Call): Promise<void> => {
  await ((await isRemote(call)) ? listRemote(call) : listReady(call));
};

const listReady = async ({ out }: Call): Promise<void> => {
  const rows = readyTemplates.map(({ name, engine, description, params }) => ({ name, engine, description, params }));
  await out.rows(rows, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'PARAMETERS', value: ({ params }) => Object.keys(params).length },
    { title: 'WHAT', value: ({ description }) => description },
  ]);
};

const listRemote = withClient(async (client, call) => {
  const { out } = call;
  const items = await everyPage((query) => client.templates.list({ query: { ...query, ...projectOf(call) } }));
  await out.rows(items, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'PROJECT', value: ({ project }) => project },
    { title: 'VERSION', value: ({ version, built_in }) => (built_in ? 'sbox' : version) },
    { title: 'CONFIGS', value: ({ configs }) => configs.join(', ') },
    { title: 'WHAT', value: ({ description }) => description },
  ]);
});

export const show = async (call: Call): Promise<void> => {
  const choice = choiceOf(arg(call, 0));
  // A file is on this machine, whoever else is known.
  if (choice.file === undefined && (await isRemote(call))) return void (await showRemote(call));
  await print(await findTemplate(choice, call.host), call);
};

const showRemote = withClient(async (client, call) => {
  const query = flag(call, 'reveal') ? { reveal: 'true' as const } : {};
  await print((await client.templates.get({ params: { name: arg(call, 0) }, query })) as unknown as Template, call);
});

async function print(template: Template, call: Call): Promise<void> {
  const { name, description, params } = template;
  await call.out.thing(template, () =>
    [
      `${name}: ${description}`,
      '',
      ...Object.entries(params).map(([param, spec]) => `  ${param} (${kindOf(spec)}): ${spec.description}`),
    ].join('\n'),
  );
}

function kindOf(spec: ParamSpec): string {
  const kind = spec.type === 'list' ? `list of ${spec.items.type}` : spec.type;
  const values = spec.type === 'enum' ? `: ${spec.values.join(', ')}` : '';
  const preset = 'default' in spec && spec.default !== undefined ? `, default ${JSON.stringify(spec.default)}` : '';
  const needed = preset === '' && spec.optional !== true ? ', has to be given' : '';
  return `${kind}${values}${preset}${needed}`;
}

/** The config that a template gives with these parameters, with nodes or with none. */
export const render = async (call: Call): Promise<void> => {
  const asked = { ...call, options: { ...call.options, template: arg(call, 0) } };
  const [{ target }, prepared] = await Promise.all([findAnyTarget(call), prepare(await recipeOf(asked), asked)]);
  const rendered = renderSaying(prepared, target, call);
  for (const { path: at, message } of rendered.warnings) call.out.talk(`note: ${at}: ${message}`);
  await deliver(rendered.text, call);
};

/** Looks for everything in a template file that would fail later. */
export const lint = async (call: Call): Promise<void> => {
  const template = await readTemplate(arg(call, 0), call.host);
  const given = paramsOf(template, texts(call, 'set'));
  const missing = Object.entries(template.params)
    .filter(
      ([name, spec]) =>
        !(name in given) && spec.optional !== true && !('default' in spec && spec.default !== undefined),
    )
    .map(([name]) => name);
  const values = missing.length === 0 ? hideSecrets(template, readParams(template, given)) : null;
  await call.out.thing({ ok: true, name: template.name, missing, values }, () =>
    [
      `✔ ${template.name}: ${counted(Object.keys(template.params).length, 'parameter')}`,
      ...(missing.length === 0 ? [] : [`  have to be given: ${missing.join(', ')}`]),
    ].join('\n'),
  );
};

/** Makes a template of a configuration that exists; what it renders first is that same configuration. */
export const adopt = async (call: Call): Promise<void> => {
  const [source] = [arg(call, 0)];
  const name = text(call, 'name') ?? cleanName(path.basename(source).replace(/\.[^.]+$/, ''));
  const { target } = await findAnyTarget(call);
  const adopted = adoptConfig(
    await readText(path.resolve(call.host.cwd, source)),
    { name, engine_version: target.version },
    { sha256 },
  );
  checkTemplate(adopted.template);
  const { template, nodes, groups, main_group, findings, deprecations } = adopted;
  const { stringify } = await import('../yaml-text.ts');
  const file = text(call, 'file') ?? `${name}.yaml`;
  if (text(call, 'file') === undefined && existsSync(path.resolve(call.host.cwd, file)))
    throw new ProblemError('command.usage', `${file} is there already`, { fix: '--file FILE writes over it' });
  const content = file.endsWith('.json')
    ? `${JSON.stringify(template, undefined, 2)}\n`
    : stringify(template, { lineWidth: 0 });
  if (file === '-') call.out.raw(content);
  else await writeWhole(path.resolve(call.host.cwd, file), content);
  const found = { name, file, nodes, groups, main_group: main_group ?? null, findings, deprecations };
  const lines = [
    `${name}: ${counted(nodes.length, 'node')} of its own, groups: ${groups.join(', ') || 'none'}`,
    ...(main_group === undefined
      ? []
      : [`nodes of subscriptions join ${main_group}; others: --set nodes_in=GROUP,GROUP`]),
    ...findings.map(({ path: at, message }) => `✗ ${at}: ${message}`),
    ...deprecations.map(({ path: at, name: old, instead }) => `! ${at}: ${old}; instead: ${instead}`),
    ...(file === '-'
      ? []
      : [
          `wrote ${file}. Next: sboxmgr generate --template ${file.includes('/') ? file : `./${file}`} --from FILE|URL`,
        ]),
  ];
  if (file === '-') for (const line of lines) call.out.talk(line);
  else await call.out.thing(found, () => lines.join('\n'));
};

const cleanName = (name: string): string => name.replace(/[^\w.-]+/g, '-').replace(/^[^a-z0-9]+/i, '') || 'adopted';

export const create = withClient(async (client, call) => {
  const template = await named(call);
  const made = await client.templates.create({
    body: { template, ...projectOf(call), message: text(call, 'message') ?? '' },
  });
  await call.out.thing(made, () => `${made.name}: version ${made.version ?? 1}`);
});

export const edit = withClient(async (client, call) => {
  const template = await named(call);
  const known = await client.templates.get({ params: { name: template.name }, query: {} });
  const made = await client.templates.replace({
    params: { name: template.name },
    headers: { 'if-match': `"${known.revision ?? 0}"` },
    body: { template, ...projectOf(call), message: text(call, 'message') ?? '' },
  });
  await call.out.thing(
    made,
    () => `${made.name}: version ${made.version ?? 1}; configs take it when they are generated`,
  );
});

/** The file, under the name that was typed. */
async function named(call: Call): Promise<Template> {
  const file = text(call, 'file');
  if (file === undefined) throw new ProblemError('command.usage', 'no file was named', { fix: '--file template.yaml' });
  return { ...(await readTemplate(file, call.host)), name: arg(call, 0) };
}

export const remove = withClient(async (client, call) => {
  const name = arg(call, 0);
  const known = await client.templates.get({ params: { name }, query: {} });
  await client.templates.remove({ params: { name }, headers: { 'if-match': `"${known.revision ?? 0}"` } });
  call.out.talk(`${name} was deleted`);
});

export const history = withClient(async (client, call) => {
  const items = await everyPage((query) => client.templates.versions({ params: { name: arg(call, 0) }, query }));
  await call.out.rows(items, [
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'AUTHOR', value: ({ author }) => author },
    { title: 'MADE', value: ({ created_at }) => created_at },
    { title: 'MESSAGE', value: ({ message }) => message },
  ]);
});
