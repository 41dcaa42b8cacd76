import { redactDocument, redactedMark, redactText } from '@sbox/core';
import { operatorContract, templateFileSchema, type Route, type RouteInput } from '@sbox/protocol';
import { everyPage } from '../commands/remote.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord } from '../local/document-file.ts';
import { fleetKinds } from './fleet-kinds.ts';
import { stored, type Kind, type Stored, type Value } from './kind.ts';

type Body<R extends Route> = RouteInput<R> extends { body: infer B } ? B : never;
const { subscriptions, templates, configs } = operatorContract;

const textIn = (value: unknown, field: string): string | undefined => {
  const found = isRecord(value) ? value[field] : undefined;
  return typeof found === 'string' ? found : undefined;
};

const subscription: Kind = {
  name: 'subscription',
  folder: 'subscriptions',
  key: 'name',
  schema: subscriptions.add.body,
  secrets: ['source'],
  list: async (client) =>
    (await everyPage((query) => client.subscriptions.list({ query }))).map((view) =>
      stored(subscriptions.add.body, view),
    ),
  reveal: async (client, id) =>
    stored(subscriptions.add.body, await client.subscriptions.get({ params: { id }, query: { reveal: 'true' } })),
  create: async (client, value) => await client.subscriptions.add({ body: value as Body<typeof subscriptions.add> }),
  replace: async (client, { id, headers }, value) =>
    await client.subscriptions.replace({
      params: { id },
      headers,
      body: value as Body<typeof subscriptions.replace>,
    }),
  remove: async (client, { id, headers }) => await client.subscriptions.remove({ params: { id }, headers }),
  hide: (value) => ({ ...value, source: hideSource(value['source']) }),
};

/** As the manager shows it: of an address only the host, of headers the names. */
function hideSource(source: unknown): unknown {
  if (!isRecord(source)) return redactedMark;
  const { headers, url, text } = source;
  return {
    ...source,
    ...(text === undefined ? {} : { text: redactedMark }),
    ...(typeof url === 'string' ? { url: redactText(URL.parse(url)?.href ?? redactedMark) } : {}),
    ...(isRecord(headers)
      ? { headers: Object.fromEntries(Object.keys(headers).map((name) => [name, redactedMark])) }
      : {}),
  };
}

const readTemplate = async (client: OperatorClient, name: string, reveal: 'true' | 'false'): Promise<Stored> => {
  const view = await client.templates.get({ params: { name }, query: { reveal } });
  return stored(templateFileSchema, { ...view, id: name });
};

const templateBody = ({ project, ...template }: Value): Value => ({ template, project, message: '' });

const template: Kind = {
  name: 'template',
  folder: 'templates',
  key: 'name',
  schema: templateFileSchema,
  secrets: ['document'],
  async list(client) {
    const all = await everyPage((query) => client.templates.list({ query }));
    const found: Stored[] = [];
    for (const { name, built_in } of all)
      found.push(built_in ? { id: name, revision: null, value: { name } } : await readTemplate(client, name, 'false'));
    return found;
  },
  reveal: async (client, name) => await readTemplate(client, name, 'true'),
  create: async (client, value) =>
    await client.templates.create({ body: templateBody(value) as Body<typeof templates.create> }),
  replace: async (client, { id, headers }, value) =>
    await client.templates.replace({
      params: { name: id },
      headers,
      body: templateBody(value) as Body<typeof templates.replace>,
    }),
  remove: async (client, { id, headers }) => await client.templates.remove({ params: { name: id }, headers }),
  hide: (value) => ({ ...value, document: redactDocument(value['document']) }),
};

const config: Kind = {
  name: 'config',
  folder: 'configs',
  key: 'name',
  schema: configs.create.body,
  secrets: ['template', 'patch'],
  list: async (client) => (await everyPage((query) => client.configs.list({ query }))).map(storedConfig),
  reveal: async (client, id) => storedConfig(await client.configs.get({ params: { id }, query: { reveal: 'true' } })),
  create: async (client, value) => await client.configs.create({ body: value as Body<typeof configs.create> }),
  replace: async (client, { id, headers }, value) =>
    await client.configs.replace({ params: { id }, headers, body: value as Body<typeof configs.replace> }),
  remove: async (client, { id, headers }) => await client.configs.remove({ params: { id }, headers }),
  hide: hideConfig,
  references: ({ subscriptions: names, template: choice }) => [
    ...(Array.isArray(names) ? names : []).map((name, index) => ({
      kind: 'subscription',
      name: String(name),
      path: ['subscriptions', index],
    })),
    { kind: 'template', name: textIn(choice, 'name') ?? 'mixed', path: ['template', 'name'] },
  ],
  generate: async (client, id, message) => await client.configs.generate({ params: { id }, body: { message } }),
};

type ConfigView = Awaited<ReturnType<OperatorClient['configs']['get']>>;

const storedConfig = (view: ConfigView): Stored =>
  stored(configs.create.body, view, { subscriptions: view.subscriptions.map(({ name }) => name) });

/** Which parameters are secrets only the template knows: shown is what the manager shows of the same one. */
function hideConfig(value: Value, shown: Value | undefined): unknown {
  const { template: choice, patch } = value;
  const [now, old] = [isRecord(choice) ? choice : {}, isRecord(shown?.['template']) ? shown['template'] : {}];
  const known = now['name'] === old['name'] && isRecord(old['params']) ? old['params'] : {};
  const params = Object.entries(isRecord(now['params']) ? now['params'] : {}).map(([name, param]) => [
    name,
    known[name] === undefined || JSON.stringify(known[name]).includes(redactedMark) ? redactedMark : param,
  ]);
  const hidden = (Array.isArray(patch) ? patch : []).map((operation: unknown) =>
    isRecord(operation) && 'value' in operation ? { ...operation, value: redactedMark } : operation,
  );
  return { ...value, template: { ...now, params: Object.fromEntries(params) as unknown }, patch: hidden };
}

const { environments, settings, others } = fleetKinds;

/**
 * In the order in which things need each other. What is not here stays out of files: users, roles and tokens are who may
 * come in, with passwords that nobody can export; servers and join tokens are made by machines; versions and deployments
 * are what follows from recipes.
 */
export const kinds: readonly Kind[] = [subscription, template, environments, settings, config, ...others];
