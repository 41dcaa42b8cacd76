import { isoTime, ProblemError, problemRow, type Clock, type NewId } from '@sbox/core';
import type { ClientFormat, ClientRule, clientWriteSchema } from '@sbox/protocol';
import type * as z from 'zod/mini';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { checkRevision } from '../if-match.ts';
import { digestOfToken, type ClientLinks } from './client-links.ts';
import { checkRules, defaultRules, isFormat } from './client-rules.ts';
import type { StoredClient } from './clients-repository.ts';
import type { FetchLog } from './fetch-log.ts';
import { targetOfAgent } from './profiles.ts';
import type { SharedRules } from './shared-rules.ts';
import { decideFor, whyClosed } from './sub-service.ts';

export type ClientWrite = z.output<typeof clientWriteSchema>;
export type ClientChange = { readonly [Part in keyof ClientWrite]?: ClientWrite[Part] | undefined };

export interface ClientsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly links: ClientLinks;
  readonly fetches: FetchLog;
  readonly sharedRules: SharedRules;
  /** Where clients reach `/sub`: scheme and host. */
  readonly origin: () => string;
}

export interface ExplainedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly query?: ClientFormat | undefined;
  readonly path?: ClientFormat | undefined;
}

export type ClientsService = ReturnType<typeof createClientsService>;

/** Who takes configs, and by which rules. */
export const createClientsService = (deps: ClientsDeps) => ({
  ...writtenOf(deps),
  ...lookedAtOf(deps),
  ...rulesOf(deps),
});

function writtenOf(deps: ClientsDeps) {
  const { store, clock, newId, links, fetches } = deps;
  return {
    async create({ config: configName, ...written }: ClientWrite, reveal: boolean) {
      checkRules(written.rules);
      const now = isoTime(clock.now());
      const identity = { id: newId('cli'), rotation: 0 };
      const token_sha256 = digestOfToken(links.tokenOf(identity));
      await store.transaction(async (tx) => {
        await refuseDouble(tx, written.name);
        const config_id = await configIdOf(tx, configName);
        const blank = { config_id, token_sha256, revision: 1, created_at: now, updated_at: now };
        await tx.clients.insert({ ...written, ...identity, ...blank });
        await tx.events.add('client.created', { client_id: identity.id, name: written.name });
      });
      return await view(deps, await find(store, identity.id), reveal);
    },
    async update(id: string, ifMatch: string, { config: configName, ...change }: ClientChange) {
      if (change.rules) checkRules(change.rules);
      const clientId = await store.transaction(async (tx) => {
        const client = await find(tx, id);
        checkRevision(ifMatch, client.revision);
        if (change.name !== undefined) await refuseDouble(tx, change.name, client.id);
        const config_id = configName === undefined ? client.config_id : await configIdOf(tx, configName);
        const next = { ...client, ...given(change), config_id };
        const keys = Object.keys(next) as (keyof StoredClient)[];
        const changed = keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(client[key]));
        const written = { revision: client.revision + 1, updated_at: isoTime(clock.now()) };
        await tx.clients.update(client.id, { ...omit(next, 'id'), ...written });
        await tx.events.add('client.edited', { client_id: client.id, name: next.name, changed });
        return client.id;
      });
      return await view(deps, await find(store, clientId), false);
    },
    async remove(id: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const client = await find(tx, id);
        checkRevision(ifMatch, client.revision);
        await tx.clients.remove(client.id);
        await tx.events.add('client.deleted', { client_id: client.id, name: client.name });
        fetches.forget(client.id);
      });
    },
    async rotate(id: string, reveal: boolean) {
      const clientId = await store.transaction(async (tx) => {
        const client = await find(tx, id);
        const rotation = client.rotation + 1;
        const token_sha256 = digestOfToken(links.tokenOf({ id: client.id, rotation }));
        const written = { revision: client.revision + 1, updated_at: isoTime(clock.now()) };
        await tx.clients.update(client.id, { rotation, token_sha256, ...written });
        await tx.events.add('client.link-rotated', { client_id: client.id, name: client.name });
        return client.id;
      });
      return await view(deps, await find(store, clientId), reveal);
    },
    async removeDevice(id: string, hwid: string): Promise<void> {
      await store.transaction(async (tx) => {
        const client = await find(tx, id);
        if (!(await tx.clients.removeDevice(client.id, hwid)))
          throw new ProblemError('client.device-not-found', `${client.name} has no such device`);
        const devices = await tx.clients.countDevices(client.id);
        await tx.events.add('client.device-removed', { client_id: client.id, name: client.name, devices });
      });
    },
  };
}

function lookedAtOf(deps: ClientsDeps) {
  const { store, clock, fetches, sharedRules } = deps;
  return {
    async list(query: PageQuery) {
      await fetches.flush();
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.clients.list(page), page.limit, ({ name }) => [name]);
      return { items: await viewAll(deps, items), next_cursor };
    },
    async get(id: string, reveal: boolean) {
      await fetches.flush();
      return await view(deps, await find(store, id), reveal);
    },
    devices: async (id: string) => ({ items: await store.clients.devices((await find(store, id)).id) }),
    async fetches(id: string) {
      const client = await find(store, id);
      await fetches.flush();
      return { items: await store.clients.fetches(client.id) };
    },
    /** What would decide; devices are not asked. */
    async explain(id: string, { headers, ...asked }: ExplainedRequest) {
      const client = await find(store, id);
      const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      const { rule, answer, steps } = await decideFor(sharedRules, client, { headers: lower, ...asked });
      const config = await store.configs.find(client.config_id);
      const closed = whyClosed(client, clock) ?? (config?.version === null ? 'no-version' : undefined);
      const isServed = isFormat(answer);
      const outcome = closed ?? (isServed ? 'served' : answer === 'block' ? 'blocked' : answer);
      const target = targetOfAgent(lower['user-agent'] ?? '');
      return {
        rule,
        answer,
        outcome,
        status: closed === undefined ? statusOf(answer) : problemRow('sub.not-found').status,
        engine_version: answer === 'sing-box' ? target.version : null,
        steps: [...steps],
      };
    },
  };
}

function statusOf(answer: ClientRule['answer']): number {
  if (isFormat(answer)) return 200;
  return problemRow(answer === 'block' ? 'sub.blocked' : `sub.${answer}`).status;
}

function rulesOf({ store, clock, sharedRules }: ClientsDeps) {
  const viewRules = async ({ clients }: Pick<Repositories, 'clients'>) => {
    const stored = await clients.sharedRules();
    const { rules, revision, updated_at } = stored ?? { rules: [], revision: 0, updated_at: null };
    const is_default = rules.length === 0;
    return { rules: [...(is_default ? defaultRules : rules)], is_default, revision, updated_at };
  };
  return {
    rules: async () => await viewRules(store),
    async setRules(rules: readonly ClientRule[], ifMatch: string) {
      checkRules(rules);
      await store.transaction(async (tx) => {
        const { revision } = await viewRules(tx);
        checkRevision(ifMatch, revision);
        await tx.clients.setSharedRules({ rules, revision: revision + 1, updated_at: isoTime(clock.now()) });
        await tx.events.add('client-rules.changed', { rules: rules.length });
      });
      sharedRules.changed();
      return await viewRules(store);
    },
  };
}

const given = (change: object): Partial<StoredClient> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));

async function find({ clients }: Pick<Repositories, 'clients'>, id: string): Promise<StoredClient> {
  const client = await clients.find(id);
  if (!client) throw new ProblemError('client.not-found', `client ${id}`);
  return client;
}

async function refuseDouble({ clients }: Pick<Repositories, 'clients'>, name: string, own?: string): Promise<void> {
  const other = await clients.find(name);
  if (other && other.id !== own) throw new ProblemError('client.exists', `client ${name} exists`);
}

async function configIdOf({ configs }: Pick<Repositories, 'configs'>, name: string): Promise<string> {
  const config = await configs.find(name);
  if (!config) throw new ProblemError('config.not-found', `config ${name}`);
  return config.id;
}

async function view(deps: ClientsDeps, client: StoredClient, reveal: boolean) {
  const [shown] = await viewAll(deps, [client]);
  if (!shown) throw new Error('one client has one view');
  return { ...shown, link: reveal ? linkOf(deps, client) : null };
}

async function viewAll({ store }: ClientsDeps, all: readonly StoredClient[]) {
  const facts = await store.clients.facts(all.map(({ id }) => id));
  const configs = new Map<string, string>();
  for (const { config_id } of all)
    if (!configs.has(config_id)) configs.set(config_id, (await store.configs.find(config_id))?.name ?? config_id);
  return all.map((client) => ({
    ...omit(client, 'config_id', 'token_sha256', 'rotation'),
    rules: [...client.rules],
    config: { id: client.config_id, name: configs.get(client.config_id) ?? client.config_id },
    link: null as string | null,
    ...(facts.get(client.id) ?? { devices: 0, last_fetch: null }),
  }));
}

/** @throws ProblemError `client.link-lost` where the key is another than the one that the link was made with */
function linkOf({ links, origin }: ClientsDeps, client: StoredClient): string {
  const token = links.tokenOf(client);
  if (digestOfToken(token) !== client.token_sha256)
    throw new ProblemError('client.link-lost', `the link of ${client.name} was made with another key`);
  return `${origin()}/sub/${token}`;
}
