import { isoTime, parseDuration, ProblemError, type Clock, type NewId } from '@sbox/core';
import type { AgentStatus, HeldBounds } from '@sbox/protocol';
import type { Background } from '../../background.ts';
import { createDeploymentJudge, readInside, refuseMovingOutside } from '../../access/reached-things.ts';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { ConfigVersion } from '../configs/config-versions-repository.ts';
import type { ConfigsService } from '../configs/configs-service.ts';
import { find, findPublished } from '../configs/find-config.ts';
import type { Versions } from '../configs/versions.ts';
import { refuseFrozen } from '../environments/frozen-servers.ts';
import type { Presence } from '../servers/presence.ts';
import { factsOf } from '../servers/server-facts.ts';
import type { Server } from '../servers/servers-repository.ts';
import { nextStep, verdictOf, type HaltReason, type PlanServer, type Step } from './deployment-plan.ts';
import { assignmentsDeployed, chooseTarget, engineFor, unitsOf, type Choice } from './deployment-target.ts';
import { omit } from '../../omit.ts';
import type { Deployment } from './deployments-repository.ts';
import { frozenAhead, showHeld } from './held-deployments.ts';
import { digestsIn, type Manifests } from './manifests.ts';

export interface DeploymentsDeps {
  readonly store: Store;
  readonly configs: Pick<ConfigsService, 'generate'>;
  readonly versions: Pick<Versions, 'prepare'>;
  readonly manifests: Manifests;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly queue: KeyedQueue;
  readonly background: Pick<Background, 'run'>;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
  /** How long a server that was told may take to its verdict. */
  readonly verdictMs: number;
  /** Servers have a new manifest, stored for good. */
  readonly announce: (serverIds: readonly string[]) => Promise<void>;
  /** A deployment is over. */
  readonly ended: (configId: string, version: number) => void;
}

export interface DeployRequest extends Choice {
  /** By number or tag. */
  readonly version?: number | string | undefined;
  readonly message: string;
  readonly author: string;
  /** A version of the engine, or `own`. */
  readonly engine?: string | undefined;
  /** A duration, after which servers take the version back unless it is confirmed. */
  readonly confirm?: string | undefined;
  /** Waits its turn behind a deployment that can still decide something, instead of taking its place. */
  readonly isPatient?: true;
  /** Why it is deployed in spite of a freeze. */
  readonly override_freeze?: string | undefined;
  /** The assignment whose newcomers these servers are: it runs beside what else is deployed. */
  readonly newcomers_of?: string;
}

export type DeploymentsService = ReturnType<typeof createDeploymentsService>;

/** Servers that get their manifest in one transaction. */
const batch = 200;
const longestPauseMs = 1000;
/** As long as agents try to fetch an engine before they refuse. */
const engineFetchMs = 900_000;

export function createDeploymentsService(deps: DeploymentsDeps) {
  const { store, configs, versions, clock, newId, queue, background, stopping } = deps;
  const poked = new Set<string>();
  const soon = new Set<string>();
  const startedMs = clock.now();
  let pauseMs = 0;

  /** Takes a deployment as far as it goes now. One pending call is enough: it sees all that came before it. */
  const poke = async (id: string): Promise<void> => {
    if (poked.has(id)) return;
    poked.add(id);
    await queue.run('deployments', async () => {
      poked.delete(id);
      while (await advance(steps, id));
    });
  };
  /** Verdicts of a fleet come in a flood: looking at it takes a tenth of the time at most. */
  const pokeSoon = (id: string): void => {
    if (soon.has(id)) return;
    soon.add(id);
    background.run('deployment', async () => {
      await clock.sleep(pauseMs, stopping).catch(() => {});
      soon.delete(id);
      if (stopping.aborted) return;
      const pokedMs = clock.monotonic();
      await poke(id);
      pauseMs = Math.min(longestPauseMs, 10 * (clock.monotonic() - pokedMs));
    });
  };

  const steps: Steps = { ...deps, pokeSoon, startedMs };
  const show = async (id: string) => await showDeployment(steps, id);

  return {
    async deploy(configName: string, request: DeployRequest) {
      let config = await find(store, configName);
      if (request.version === undefined && config.version === null) {
        await configs.generate(config.id, request);
        config = await find(store, config.id);
      }
      const version = await findPublished(store, config, request.version ?? config.version ?? 0);
      const { servers, assignments } = await chooseTarget(store, config.id, request);
      if (request.override_freeze === undefined) await refuseFrozen(store, clock, servers);
      const engine = await engineFor(store, version, request.engine);
      await versions.prepare(version, servers, engine);
      const id = newId('dep');
      await queue.run(
        'deployments',
        async () => await begin(deps, version, servers, { ...request, id, engine, assignments }),
      );
      await poke(id);
      return await show(id);
    },
    async list(query: PageQuery, bounds?: HeldBounds) {
      const page = readPage(query, 2);
      const keyOf = ({ created_at, id }: Deployment) => [created_at, id];
      const isInside = bounds && createDeploymentJudge(store, bounds);
      const rows = await readInside(page, store.deployments.list, { keyOf, isInside });
      const { items, next_cursor } = toPage(rows, page.limit, keyOf);
      return { items: await Promise.all(items.map(async (one) => await view(steps, one))), next_cursor };
    },
    get: show,
    observe,
    pokeSoon,
    /** Looks at everything that is running: time passes, servers come and go, the manager may have been restarted. */
    async tick(): Promise<void> {
      for (const { id } of await store.deployments.running()) await poke(id);
    },
  };
}

/**
 * Takes down what an agent says about its generation, in the transaction that stores the status. Answers the deployments
 * that this is news for.
 */
async function observe(tx: Repositories, serverId: string, status: AgentStatus): Promise<string[]> {
  const touched: string[] = [];
  const rows = await tx.deployments.inFlight(serverId);
  const head = rows.length === 0 ? undefined : (await tx.servers.heads([serverId])).get(serverId);
  for (const row of rows) {
    const isHead = head?.epoch === row.epoch && head.generation === row.generation;
    const state = verdictOf({ ...row, digests: isHead ? digestsIn(head.units) : undefined }, status);
    if (state === row.state || (state === 'sent' && row.state === 'serving')) continue;
    await tx.deployments.updateServer(row.deployment_id, serverId, { state });
    touched.push(row.deployment_id);
  }
  return touched;
}

interface Begun {
  readonly id: string;
  readonly engine: string;
  readonly assignments: readonly string[];
}

async function begin(
  deps: DeploymentsDeps,
  { config_id, version }: ConfigVersion,
  servers: readonly Server[],
  { id, engine, confirm, author, message, isPatient, ...request }: DeployRequest & Begun,
): Promise<void> {
  const blank = { state: 'waiting', epoch: 0, generation: 0, sent_at: null } as const;
  const { override_freeze = null, newcomers_of = null, assignments } = request;
  await deps.store.transaction(async (tx) => {
    // Retention may have come between: an old version that nothing used until now.
    if (!(await tx.configs.findVersion(config_id, version)))
      throw new ProblemError('config.version-removed', `version ${version} was removed meanwhile`);
    await refuseMovingOutside(tx, request.bounds, { configId: config_id, serverIds: servers.map((one) => one.id) });
    if (isPatient) await refuseIfBusy(deps, tx, config_id);
    if (newcomers_of === null) await supersede(deps, tx, config_id);
    await tx.deployments.insert({
      id,
      config_id,
      version,
      engine,
      confirm_ms: confirm === undefined ? 0 : (parseDuration(confirm) ?? 0),
      state: 'running',
      reason: null,
      override_freeze,
      assignments,
      newcomers_of,
      author,
      message,
      created_at: isoTime(deps.clock.now()),
      ended_at: null,
      servers: servers.map((server, position) => ({ ...blank, server_id: server.id, name: server.name, position })),
    });
    const what = { deployment_id: id, config_id, version, servers: servers.length };
    const { environment, selector } = request;
    await tx.events.add('deployment.started', {
      ...what,
      ...(environment === undefined ? {} : { environment }),
      ...(selector === undefined ? {} : { selector }),
      ...(override_freeze === null ? {} : { override_freeze }),
    });
  });
}

/** @throws ProblemError `deployment.running` while a server that is there owes its verdict */
async function refuseIfBusy({ presence }: DeploymentsDeps, tx: Repositories, configId: string): Promise<void> {
  for (const { id, servers } of await tx.deployments.running(configId)) {
    const isBusy = servers.some(
      ({ state, server_id }) =>
        (state === 'sent' || state === 'serving') && !presence.isIsland(server_id) && presence.isOnline(server_id),
    );
    if (!isBusy) continue;
    throw new ProblemError('deployment.running', `deployment ${id} is not at its end`, {
      details: { deployment_id: id },
    });
  }
}

/** The newest decision counts: a fix must not wait for the verdict on what it fixes. */
async function supersede({ clock }: DeploymentsDeps, tx: Repositories, configId: string): Promise<void> {
  for (const { id } of await tx.deployments.running(configId)) {
    await tx.deployments.end(id, { state: 'superseded', reason: null, ended_at: isoTime(clock.now()) });
  }
}

/** What a step needs beside. */
interface Steps extends DeploymentsDeps {
  /** Since when verdicts can be heard: nobody is late for the time that the manager was away. */
  readonly startedMs: number;
  /** Has another deployment looked at. */
  readonly pokeSoon: (id: string) => void;
}

/** One step; says whether another may follow at once. */
async function advance(deps: Steps, id: string): Promise<boolean> {
  const { store, ended } = deps;
  const deployment = await store.deployments.find(id);
  if (deployment?.state !== 'running') return false;
  let step = await stepOf(deps, deployment);
  // A freeze that began while it was on its way: it goes on when that ends.
  if (step.kind === 'wait' || (await freezesOver(deps, deployment, step)).size > 0) return false;
  if (step.kind === 'send') {
    const failure = await sendBatch(deps, deployment, step.server_ids.slice(0, batch));
    if (!failure) return true;
    step = { kind: 'halt', reason: failure };
  }
  const { config_id, version } = deployment;
  const ended_at = isoTime(deps.clock.now());
  await store.transaction(async (tx) => {
    const what = { deployment_id: id, config_id, version };
    if (step.kind === 'succeed') {
      await tx.deployments.end(id, { state: 'succeeded', reason: null, ended_at });
      await assignmentsDeployed(tx, deps.clock, deployment);
      await tx.events.add('deployment.succeeded', what);
    } else {
      await tx.deployments.end(id, { state: 'halted', reason: step.reason, ended_at });
      await tx.events.add('deployment.halted', { ...what, ...step.reason });
    }
  });
  // Newcomers got what is old perhaps: nothing follows from that.
  if (deployment.newcomers_of === null) ended(config_id, version);
  return false;
}

async function stepOf(deps: Steps, deployment: Deployment): Promise<Step> {
  // A program takes its time on a bad network, and a server that waits to be confirmed owes its verdict only after that.
  const patienceMs = deps.verdictMs + deployment.confirm_ms + (deployment.engine === '' ? 0 : engineFetchMs);
  return nextStep(planOf(deps, deployment), await refusalOf(deps.store, deployment), patienceMs);
}

const freezesOver = async ({ store, clock }: Steps, { override_freeze }: Deployment, step: Step) =>
  await frozenAhead(
    store,
    clock,
    step.kind === 'send' && override_freeze === null ? step.server_ids.slice(0, batch) : [],
  );

/** Tells a few servers, all or none; says what stood in the way. */
async function sendBatch(
  deps: Steps,
  deployment: Deployment,
  serverIds: readonly string[],
): Promise<HaltReason | undefined> {
  let current = '';
  const left = new Set<string>();
  try {
    const told = await deps.store.transaction(async (tx) => {
      const sent: string[] = [];
      for (const serverId of serverIds) {
        current = serverId;
        const recipient = await findRecipient(tx, deployment, serverId);
        if (!recipient) continue;
        // Before its new order: its own row is still waiting then.
        for (const other of await tx.deployments.leave(serverId)) left.add(other);
        if (await send(deps, tx, deployment, recipient)) sent.push(serverId);
      }
      return sent;
    });
    await deps.announce(told);
    for (const other of left) deps.pokeSoon(other);
    return undefined;
  } catch (error) {
    // Its engine may have become one that nothing can be rendered for.
    if (!(error instanceof ProblemError)) throw error;
    return { server_id: current, code: error.code, detail: error.message };
  }
}

interface Recipient {
  readonly server: Server;
  /** What the config is called there. */
  readonly units: readonly string[];
}

/** Undefined for a server that is gone, or that the deployment does not mean any more. */
async function findRecipient(
  tx: Repositories,
  deployment: Deployment,
  serverId: string,
): Promise<Recipient | undefined> {
  const server = await tx.servers.find(serverId);
  const units = server ? await unitsOf(tx, deployment, server) : [];
  if (server && units.length > 0) return { server, units };
  await tx.deployments.updateServer(deployment.id, serverId, { state: 'moved' });
  return undefined;
}

/** Assigns one server and gives it its manifest; true when it has something new to fetch. */
async function send(
  { manifests, clock }: DeploymentsDeps,
  tx: Repositories,
  { id, config_id, version, engine, confirm_ms }: Deployment,
  { server, units }: Recipient,
): Promise<boolean> {
  const { id: serverId } = server;
  const facts = omit(factsOf(server), 'server');
  for (const unit of units) await tx.servers.assign({ server_id: serverId, unit, config_id, version, engine, facts });
  const head = (await tx.servers.heads([serverId])).get(serverId);
  const isDone =
    head !== undefined &&
    server.status !== null &&
    verdictOf({ ...head, digests: digestsIn(head.units) }, server.status) === 'committed';
  const { epoch, generation, isNew } = await manifests.publish(tx, server, !isDone, { confirm_ms });
  await tx.deployments.updateServer(id, serverId, {
    state: isNew ? 'sent' : 'committed',
    epoch,
    generation,
    sent_at: isoTime(clock.now()),
  });
  return isNew;
}

const planOf = ({ presence, clock, startedMs }: Steps, { servers }: Deployment): PlanServer[] =>
  servers.map(({ server_id, state, sent_at }) => ({
    server_id,
    state,
    is_online: presence.isOnline(server_id),
    is_island: presence.isIsland(server_id),
    sent_ms_ago: sent_at === null ? 0 : clock.now() - Math.max(Date.parse(sent_at), startedMs),
  }));

async function refusalOf(store: Store, { servers }: Deployment): Promise<HaltReason | undefined> {
  const refused = servers.find(({ state }) => state === 'refused');
  if (!refused) return undefined;
  const { server_id } = refused;
  const nack = (await store.servers.find(server_id))?.status?.nack;
  return { server_id, code: nack?.code ?? 'apply.refused', detail: nack?.message ?? `${refused.name} refused it` };
}

async function showDeployment(deps: Steps, id: string) {
  const deployment = await deps.store.deployments.find(id);
  if (!deployment) throw new ProblemError('deployment.not-found', `deployment ${id}`);
  return await view(deps, deployment);
}

async function heldBy(deps: Steps, deployment: Deployment) {
  if (deployment.state !== 'running' || deployment.override_freeze !== null) return null;
  return showHeld(await freezesOver(deps, deployment, await stepOf(deps, deployment)));
}

const view = async (deps: Steps, deployment: Deployment) => ({
  ...omit(deployment, 'message', 'assignments'),
  engine: deployment.engine === '' ? null : deployment.engine,
  held: await heldBy(deps, deployment),
  servers: deployment.servers.map((server) => omit(server, 'position', 'sent_at')),
});
