import { redactedMark } from '@sbox/core';
import {
  clientRulesFileSchema,
  operatorContract,
  parseScope,
  printScope,
  settingsFileSchema,
  type Route,
  type RouteInput,
} from '@sbox/protocol';
import { everyPage } from '../commands/remote.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord } from '../local/document-file.ts';
import { stored, type Fault, type Kind, type Reference, type Value } from './kind.ts';
import { faultsInValues } from './setting-values.ts';

type Body<R extends Route> = RouteInput<R> extends { body: infer B } ? B : never;
const { environments, assignments, policies, clients, clientRules, settings } = operatorContract;

const without = (value: Value, ...fields: readonly string[]): Value =>
  Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)));

/** A reference where there is a text, none for null. */
const naming = (kind: string, value: Value, field: string): Reference[] =>
  typeof value[field] === 'string' ? [{ kind, name: value[field], path: [field] }] : [];

const environment: Kind = {
  name: 'environment',
  folder: 'environments',
  key: 'name',
  schema: environments.create.body,
  secrets: [],
  list: async (client) =>
    (await everyPage((query) => client.environments.list({ query }))).map((view) =>
      stored(environments.create.body, view),
    ),
  create: async (client, value) =>
    await client.environments.create({ body: value as Body<typeof environments.create> }),
  replace: async (client, { id, headers }, value) =>
    await client.environments.update({
      params: { name: id },
      headers,
      body: without(value, 'name'),
    }),
  remove: async (client, { id, headers }) => await client.environments.remove({ params: { name: id }, headers }),
};

/** A scope that has no values is there already, with a revision of its own. */
const settingLayer: Kind = {
  name: 'settings',
  folder: 'settings',
  key: 'scope',
  schema: settingsFileSchema,
  secrets: ['values'],
  list: async (client) =>
    (await everyPage((query) => client.settings.list({ query }))).map((view) =>
      stored(settingsFileSchema, view, { id: view.scope }),
    ),
  reveal: async (client, scope) =>
    stored(settingsFileSchema, await client.settings.get({ params: { scope }, query: { reveal: 'true' } }), {
      id: scope,
    }),
  async create(client, value) {
    const scope = String(value['scope']);
    const { revision } = await client.settings.get({ params: { scope }, query: {} });
    await this.replace(client, { id: scope, headers: { 'if-match': `"${revision}"` } }, value);
  },
  replace: async (client, { id, headers }, value) =>
    await client.settings.replace({
      params: { scope: id },
      headers,
      body: { values: value['values'] } as Body<typeof settings.replace>,
    }),
  remove: async (client, { id, headers }) => await client.settings.remove({ params: { scope: id }, headers }),
  normalise: (value) => ({ ...value, scope: printScope(parseScope(String(value['scope']))) }),
  hide: hideValues,
  check: async (client, sides) => [...(await faultsInScope(client, sides.value)), ...(await faultsInValues(sides))],
  references: ({ scope }) => {
    const [, name] = /^environment:(.+)$/.exec(String(scope)) ?? [];
    return name === undefined ? [] : [{ kind: 'environment', name, path: ['scope'] }];
  },
};

const scopeOfId = /^(server|user):((?:srv|cli)_[0-9A-Za-z]{16})$/;

/** The manager keeps values by names: a file with an id would be new at every apply. */
async function faultsInScope(client: OperatorClient, { scope }: Value): Promise<Fault[]> {
  const [, kind, id] = scopeOfId.exec(String(scope)) ?? [];
  if (kind === undefined || id === undefined) return [];
  const params = { id };
  const asked = kind === 'server' ? client.servers.get({ params }) : client.clients.get({ params });
  const named = await asked.then(
    ({ name }) => name,
    () => undefined,
  );
  return named === undefined ? [] : [{ path: ['scope'], message: `is an id: write ${kind}:${named}` }];
}

/** Which parameters are secrets only the templates know: what is new, or hidden where it is, is not printed. */
function hideValues({ values, ...value }: Value, shown: Value | undefined): unknown {
  const known = isRecord(shown?.['values']) ? shown['values'] : {};
  const hidden = Object.entries(isRecord(values) ? values : {}).map(([key, one]) => [
    key,
    key.startsWith('params.') && (known[key] === undefined || JSON.stringify(known[key]).includes(redactedMark))
      ? redactedMark
      : one,
  ]);
  return { ...value, values: Object.fromEntries(hidden) as unknown };
}

const policy: Kind = {
  name: 'policy',
  folder: 'policies',
  key: 'name',
  schema: policies.create.body,
  secrets: [],
  list: async (client) =>
    (await everyPage((query) => client.policies.list({ query }))).map((view) => ({
      ...stored(policies.create.body, view, { id: view.name, configs: view.configs?.map(({ name }) => name) }),
      isBuiltIn: view.built_in,
    })),
  create: async (client, value) => await client.policies.create({ body: value as Body<typeof policies.create> }),
  replace: async (client, { id, headers, isBuiltIn }, value) =>
    await client.policies.update({
      params: { name: id },
      headers,
      body: without(value, 'name', ...(isBuiltIn ? policyTest : [])),
    }),
  remove: async (client, { id, headers }) => await client.policies.remove({ params: { name: id }, headers }),
  references: ({ configs }) =>
    (Array.isArray(configs) ? configs : []).map((name, index) => ({
      kind: 'config',
      name: String(name),
      path: ['configs', index],
    })),
};
/** Of a policy that comes with sbox these are what this version of sbox says. */
const policyTest = ['reason', 'query', 'at_most', 'at_least', 'expression'];

const assignment: Kind = {
  name: 'assignment',
  folder: 'assignments',
  key: 'name',
  schema: assignments.create.body,
  fixed: ['unit'],
  secrets: [],
  isRemovedFirst: true,
  list: async (client) =>
    (await everyPage((query) => client.assignments.list({ query }))).map((view) =>
      stored(assignments.create.body, view),
    ),
  create: async (client, value) => await client.assignments.create({ body: value as Body<typeof assignments.create> }),
  replace: async (client, { id, headers }, value) =>
    await client.assignments.update({
      params: { id },
      headers,
      body: without(value, 'name', 'unit'),
    }),
  remove: async (client, { id, headers }) => await client.assignments.remove({ params: { id }, headers }),
  references: (value) => [...naming('config', value, 'config'), ...naming('environment', value, 'environment')],
};

const client: Kind = {
  name: 'client',
  folder: 'clients',
  key: 'name',
  schema: clients.create.body,
  secrets: [],
  list: async (manager) =>
    (await everyPage((query) => manager.clients.list({ query }))).map((view) =>
      stored(clients.create.body, view, { config: view.config.name }),
    ),
  create: async (manager, value) => await manager.clients.create({ body: value as Body<typeof clients.create> }),
  replace: async (manager, { id, headers }, value) =>
    await manager.clients.update({
      params: { id },
      headers,
      body: without(value, 'name'),
    }),
  remove: async (manager, { id, headers }) => await manager.clients.remove({ params: { id }, headers }),
  references: (value) => naming('config', value, 'config'),
};

/** One list for all clients, so one file; without it those that come with sbox. */
const sharedRules: Kind = {
  name: 'client-rules',
  folder: 'client-rules',
  key: 'name',
  schema: clientRulesFileSchema,
  secrets: [],
  async list(manager) {
    const { is_default, ...view } = await manager.clientRules.get();
    return is_default ? [] : [stored(clientRulesFileSchema, { ...view, name: 'shared' })];
  },
  async create(manager, value) {
    const { revision } = await manager.clientRules.get();
    await this.replace(manager, { id: 'shared', headers: { 'if-match': `"${revision}"` } }, value);
  },
  replace: async (manager, { headers }, { rules }) =>
    await manager.clientRules.replace({ headers, body: { rules } as Body<typeof clientRules.replace> }),
  remove: async (manager, { headers }) => await manager.clientRules.replace({ headers, body: { rules: [] } }),
};

/** What says which servers and clients get what, and when. */
export const fleetKinds = {
  environments: environment,
  settings: settingLayer,
  others: [policy, assignment, sharedRules, client],
} as const;
