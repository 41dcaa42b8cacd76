import type { Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';

type Found = readonly string[];
type ManagedNoun =
  | 'assignment'
  | 'client'
  | 'config'
  | 'config-version'
  | 'deployment'
  | 'engine'
  | 'environment'
  | 'join-token'
  | 'override'
  | 'policy'
  | 'server'
  | 'setting'
  | 'subscription'
  | 'subscription-version'
  | 'template'
  | 'token'
  | 'user';
type LocalNoun = 'context' | 'operator' | 'problem' | 'ready-template';
/** A kind of thing whose names can be asked for. */
export type Noun = ManagedNoun | LocalNoun;
type Named = Promise<{ readonly items: readonly { readonly name: string }[] }>;

const query = { limit: 1000 };
const namesOf = async (page: Named): Promise<Found> => (await page).items.map(({ name }) => name);
const versionsOf = (versions: readonly { readonly version: number }[]): Found =>
  versions.map(({ version }) => String(version));

/** What the manager has, by one question each: of many thousands the first that it lists. */
const managed: Readonly<Record<ManagedNoun, (client: OperatorClient, args: Found) => Promise<Found>>> = {
  assignment: async (client) => await namesOf(client.assignments.list({ query })),
  client: async (client) => await namesOf(client.clients.list({ query })),
  config: async (client) => await namesOf(client.configs.list({ query })),
  'config-version': async (client, [config = '']) => {
    const { items } = await client.configs.versions({ params: { id: config }, query });
    return [...items.flatMap(({ tags }) => tags), ...versionsOf(items)];
  },
  deployment: async (client) => (await client.deployments.list({ query: { limit: 50 } })).items.map(({ id }) => id),
  engine: async (client) => (await client.engines.list({ query })).items.map(({ version }) => version),
  environment: async (client) => await namesOf(client.environments.list({ query })),
  'join-token': async (client) => (await client.joinTokens.list({ query })).items.map(({ id }) => id),
  override: async (client) => (await client.settings.listOverrides({ query })).items.map(({ id }) => id),
  policy: async (client) => await namesOf(client.policies.list({ query })),
  server: async (client) => await namesOf(client.servers.list({ query })),
  setting: async (client) => (await client.settings.keys({})).items.map(({ key }) => key),
  subscription: async (client) => await namesOf(client.subscriptions.list({ query })),
  'subscription-version': async (client, [subscription = '']) =>
    versionsOf((await client.subscriptions.versions({ params: { id: subscription }, query })).items),
  template: async (client) => await namesOf(client.templates.list({ query })),
  token: async (client) => (await client.tokens.list({ query })).items.map(({ id }) => id),
  user: async (client) => await namesOf(client.users.list({ query })),
};

/** What is known without a manager. */
const local: Readonly<Record<LocalNoun, (call: Call) => Promise<Found>>> = {
  context: async ({ host }) => [...(await (await import('../context-file.ts')).readContexts(host)).all.keys()],
  operator: async () => Object.keys((await import('@sbox/protocol/pipeline')).operatorDocs),
  problem: async () => Object.keys((await import('@sbox/core')).problemTable),
  'ready-template': async () => (await import('@sbox/pipeline')).readyTemplates.map(({ name }) => name),
};

const isLocal = (noun: Noun): noun is LocalNoun => Object.hasOwn(local, noun);

/** Somebody waits with a finger on the key. */
const patienceMs = 600;

/**
 * The names of things of a kind, as the manager that the call means has them; `args` are what was typed before. None where
 * that takes too long, or fails for whatever reason.
 */
export async function findNames(noun: Noun, call: Call): Promise<Found> {
  const { clock, signal } = call.host;
  const late = new AbortController();
  const ask = async (): Promise<Found> => {
    if (isLocal(noun)) return await local[noun](call);
    const { connect } = await import('../connection.ts');
    const host = { ...call.host, signal: AbortSignal.any([signal, late.signal]) };
    await using connection = await connect({ ...call, host });
    return await managed[noun](connection.client, call.args);
  };
  const nobody = (): Found => [];
  try {
    return await Promise.race([ask().catch(nobody), clock.sleep(patienceMs, late.signal).then(nobody, nobody)]);
  } finally {
    late.abort();
  }
}
