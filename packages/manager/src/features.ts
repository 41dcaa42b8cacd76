import type { Clock, NewId, RandomBytes } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Lookup } from '@sbox/pipeline';
import type { Background } from './background.ts';
import type { Repositories, Store } from './database/store.ts';
import type { Desired } from './features/agents/desired.ts';
import { createStatuses, type Statuses } from './features/agents/statuses.ts';
import { createClientFeatures, type ClientFeatures, type ClientFeaturesDeps } from './features/clients/clients.ts';
import { createConfigQuestions, type ConfigQuestions } from './features/configs/config-questions.ts';
import { createConfigsService, type ConfigsService } from './features/configs/configs-service.ts';
import type { LocalEngine } from './features/configs/engine-check.ts';
import { createFollow } from './features/configs/follow.ts';
import { createVersions } from './features/configs/versions.ts';
import { createDeploymentsService, type DeploymentsService } from './features/deployments/deployments-service.ts';
import { createManifests } from './features/deployments/manifests.ts';
import type { EngineFiles } from './features/engines/engine-files.ts';
import { createEnginesService, type EnginesService } from './features/engines/engines-service.ts';
import { createAssignmentsService, type AssignmentsService } from './features/assignments/assignments-service.ts';
import { createNewcomers } from './features/assignments/newcomers.ts';
import { createEnvironmentsService, type EnvironmentsService } from './features/environments/environments-service.ts';
import { hearsWithoutOrder } from './features/deployments/manager-urls.ts';
import { raiseEpoch } from './features/deployments/raise-epoch.ts';
import { renewManifests } from './features/deployments/renew-manifests.ts';
import { createPoliciesService, type PoliciesService } from './features/policies/policies-service.ts';
import { createPolicyEvaluator } from './features/policies/policy-evaluator.ts';
import { createPolicyJudge } from './features/policies/policy-judge.ts';
import type { Presence } from './features/servers/presence.ts';
import { createJoinTokensService, type JoinTokensService } from './features/servers/join-tokens-service.ts';
import type { Server } from './features/servers/servers-repository.ts';
import { createServersService, type ServersService } from './features/servers/servers-service.ts';
import { createRetentionService, type RetentionService } from './features/retention/retention-service.ts';
import { createForgetting, type Forgetting } from './features/settings/forgetting.ts';
import { createSettings, type Settings } from './features/settings/settings.ts';
import { createRuleSets, type RuleSets } from './features/rule-sets/rule-sets-service.ts';
import { createContentReader } from './features/subscriptions/content-reader.ts';
import { createRefresher, type Refresher } from './features/subscriptions/subscription-refresh.ts';
import {
  createSubscriptionsService,
  type SubscriptionsService,
} from './features/subscriptions/subscriptions-service.ts';
import { knownTemplates } from './features/settings/known-templates.ts';
import { createTemplatesService, type TemplatesService } from './features/templates/templates-service.ts';
import type { Fetcher } from './fetching/fetcher.ts';
import type { Identity } from './identity.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import { msOf, type ManagerSettings } from './settings.ts';

export interface FeaturesDeps extends Pick<ClientFeaturesDeps, 'clientLinks' | 'clientOrigin'> {
  readonly settings: ManagerSettings;
  readonly store: Store;
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly queue: KeyedQueue;
  readonly background: Background;
  readonly fetcher: Pick<Fetcher, 'fetch'>;
  /** The same, limited to the size of rule-sets. */
  readonly ruleSetFetcher: Pick<Fetcher, 'fetch'>;
  readonly engine: LocalEngine | undefined;
  /** Programs for servers. */
  readonly engineFiles: EngineFiles;
  /** Addresses of hosts, for pipelines that resolve. */
  readonly lookup: Lookup;
  readonly presence: Presence;
  readonly desired: Desired;
  readonly identity: Pick<Identity, 'onlineKey' | 'trust' | 'pin'>;
  readonly epoch: number;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
}

export interface Features extends ClientFeatures {
  readonly subscriptions: SubscriptionsService;
  readonly refresher: Refresher;
  readonly configs: ConfigsService;
  readonly questions: ConfigQuestions;
  readonly templates: TemplatesService;
  readonly policies: PoliciesService;
  readonly settings: Settings;
  readonly ruleSets: RuleSets;
  readonly retention: RetentionService;
  readonly engines: EnginesService;
  readonly deployments: DeploymentsService;
  readonly servers: ServersService;
  readonly joinTokens: JoinTokensService;
  readonly environments: EnvironmentsService;
  readonly assignments: AssignmentsService;
  /** Sends servers that came to be meant what is meant for them. */
  readonly newcomers: { tick(): Promise<void> };
  readonly statuses: Statuses;
  /** Deploys what a freeze held back, where that has ended. */
  readonly deployHeld: () => Promise<void>;
  /** Makes up for what should have followed from changes when the manager died. */
  readonly followLeft: () => Promise<void>;
  /** Writes orders anew that are of an old epoch, key or address of the manager; before anybody is answered. */
  readonly renewManifests: () => Promise<void>;
  /** Tells a server without orders where this manager is, if that is to be told. */
  readonly greet: (tx: Repositories, server: Server) => Promise<void>;
}

/** The services, tied together. What one causes in another goes through the background, never through a cycle of calls. */
export function createFeatures(deps: FeaturesDeps): Features {
  const { settings, store, clock, newId, queue, background, presence, desired, identity, log } = deps;
  const made = createConfigFeatures(deps, async () => await follow.ruleSetsChanged());
  const { configs, versions } = made;
  const pace = paceOf(settings);
  const { onlineKey } = identity;
  const { urls } = settings.agents;
  const manifests = createManifests({ onlineKey, clock, versions, pace, urls, epoch: deps.epoch });
  const deployments = createDeploymentsService({
    store,
    configs,
    versions,
    manifests,
    presence,
    clock,
    newId,
    queue,
    background,
    stopping: deps.stopping,
    verdictMs: msOf(settings.deployments.verdict_timeout),
    announce: async (serverIds) => await desired.announce(serverIds),
    ended: (configId, version) => {
      background.run('after a deployment', async () => await follow.deploymentEnded(configId, version));
    },
  });
  const follow = createFollow({ store, configs, deployments, log });
  const layers = createSettings({
    store,
    clock,
    newId,
    versions,
    judge: made.judge,
    queue,
    background,
    follow: async (configIds, message) => await follow.settingsChanged(configIds, message),
  });
  const forgetting = createForgetting({
    store,
    forget: layers.forget,
    run: (task) => background.run('forget settings', task),
  });
  const changed = (subscriptionId: string): void => {
    background.run('follow a subscription', async () => await follow.subscriptionChanged(subscriptionId));
  };
  return {
    ...createSubscriptionFeatures(deps, changed),
    retention: createRetentionService({ store, clock, queue, rules: retentionOf(settings), stopping: deps.stopping }),
    ...made,
    ...withoutSettings(createClientFeatures(deps), store, forgetting),
    ...createServerFeatures(deps, deployments, forgetting),
    settings: layers,
    deployments,
    deployHeld: async () => await follow.deployHeld(),
    followLeft: async () => {
      await forgetting.left();
      for (const id of await follow.left()) changed(id);
      await follow.ruleSetsChanged();
    },
    greet: async (tx, server) => {
      if (hearsWithoutOrder(server, urls)) await manifests.publish(tx, server, false);
    },
    renewManifests: async () => {
      await raiseEpoch(store, manifests, log);
      await renewManifests({ store, onlineKey, urls, clock, publish: manifests.publish });
    },
  };
}

/** A client that goes takes with it what was written for it. */
const withoutSettings = (features: ClientFeatures, store: Store, { around }: Forgetting): ClientFeatures => ({
  ...features,
  clients: around(features.clients, async (id) => (await store.clients.find(id))?.name, 'user'),
});

/** Servers, what they say and are given, and what is meant for them. */
function createServerFeatures(deps: FeaturesDeps, deployments: DeploymentsService, { around }: Forgetting) {
  const { store, presence, clock, newId, queue, desired, identity, log } = deps;
  const statuses = createStatuses({ store, presence, deployments, queue });
  const engines = createEnginesService({ store, files: deps.engineFiles, clock, queue });
  const servers = createServersService({
    store,
    presence,
    clock,
    newId,
    trust: identity.trust,
    engines,
    newestStatus: statuses.newest,
    removed: (serverId, deploymentIds) => {
      for (const id of deploymentIds) deployments.pokeSoon(id);
      statuses.forget(serverId);
      desired.forget(serverId);
    },
  });
  return {
    statuses,
    engines,
    servers: around(servers, async (id) => (await store.servers.find(id))?.name, 'server'),
    joinTokens: createJoinTokensService({ store, clock, newId, randomBytes: deps.randomBytes, pin: identity.pin }),
    environments: around(
      createEnvironmentsService({ store, clock }),
      async (name) => (await store.environments.find(name))?.name,
      'environment',
    ),
    assignments: createAssignmentsService({ store, clock, newId, servers }),
    newcomers: createNewcomers({ store, presence, deployments, clock, log }),
  };
}

function createSubscriptionFeatures(deps: FeaturesDeps, changed: (subscriptionId: string) => void) {
  const { store, clock, newId, random, queue, log, fetcher, stopping } = deps;
  const read = createContentReader(queue);
  const refresher = createRefresher({ store, fetcher, clock, newId, random, queue, read, log, changed, stopping });
  return { refresher, subscriptions: createSubscriptionsService({ store, refresher, clock, newId, random, changed }) };
}

/** Configs, and what they are made from beside subscriptions. */
function createConfigFeatures(deps: FeaturesDeps, ruleSetsChanged: () => Promise<void>) {
  const { settings, store, clock, newId, random, queue, log, engine, lookup, stopping } = deps;
  const ruleSets = createRuleSets({
    store,
    fetcher: deps.ruleSetFetcher,
    clock,
    random,
    queue,
    log,
    refreshEvery: settings.rule_sets.refresh,
    stopping,
    changed: () => deps.background.run('follow rule-sets', ruleSetsChanged),
  });
  const judge = createPolicyJudge({ store, evaluate: createPolicyEvaluator({ queue, clock, stopping }) });
  const versions = createVersions({ store, clock, engine, ruleSets, lookup, stopping, judge });
  return {
    ruleSets,
    versions,
    judge,
    configs: createConfigsService({ store, versions, clock, newId, queue, judge }),
    policies: createPoliciesService({ store, clock, judge, versions }),
    questions: createConfigQuestions({ store, versions, engine }),
    templates: createTemplatesService({ store, clock, knownTemplates }),
  };
}

const retentionOf = ({ retention: { versions, drafts, snapshots } }: ManagerSettings) => ({
  versions: { keep: versions.keep, ageMs: msOf(versions.age) },
  drafts: { ageMs: msOf(drafts.age) },
  snapshots: { keep: snapshots.keep, ageMs: msOf(snapshots.age) },
});

const paceOf = ({ agents }: ManagerSettings) => ({
  heartbeat_ms: msOf(agents.heartbeat),
  poll_ms: msOf(agents.poll),
  reconnect_window_ms: msOf(agents.reconnect_window),
});
