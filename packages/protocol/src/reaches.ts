import type { Route } from './route.ts';

/** What a request can name, and what has a place in bounds. */
export type ReachedKind = 'project' | 'subscription' | 'template' | 'config' | 'server' | 'deployment' | 'token';

/** A part of the request that names something: `params.id`, `body.servers`. What is not there names nothing. */
export interface NamedThing {
  readonly kind: ReachedKind;
  readonly at: `params.${string}` | `query.${string}` | `body.${string}`;
}

/** What an operation meets, for callers with bounds. */
export interface Reach {
  /** Each has to be inside. */
  readonly names: readonly NamedThing[];
  /** Its answer is a list of what is inside. */
  readonly lists?: ReachedKind;
  /** Servers may get what it changes without anybody deploying: those have to be inside, too. */
  readonly moves?: true;
  /** Shows what the server runs, whatever project that is of: it has to be inside, too. */
  readonly shows_units?: true;
}

const named = (kind: ReachedKind, at: NamedThing['at']): Reach => ({ names: [{ kind, at }] });
const listOf = (kind: ReachedKind): Reach => ({ names: [], lists: kind });
const and = (...reaches: readonly Reach[]): Reach =>
  Object.assign({}, ...reaches, { names: reaches.flatMap(({ names }) => names) }) as Reach;

const nothing: Reach = { names: [] };
const moves: Reach = { names: [], moves: true };
const project = named('project', 'body.project');
const config = named('config', 'params.id');
const subscription = named('subscription', 'params.id');
const template = named('template', 'params.name');
const server = named('server', 'params.id');
const recipe = and(project, named('subscription', 'body.subscriptions'), named('template', 'body.template.name'));

/**
 * What operations reach, by their ids. An operation that is not here reaches everything, and callers with bounds are
 * refused; so is one that stands under `everything`, where that was decided.
 */
const reaches: Readonly<Record<string, Reach>> = {
  // About the caller, or about nobody.
  whoami: nothing,
  setOwnPassword: nothing,
  startTotp: nothing,
  confirmTotp: nothing,
  stepUp: nothing,
  logout: nothing,
  listRoles: nothing,
  getHealth: nothing,
  listCapabilities: nothing,
  listEngines: nothing,
  listSettingKeys: nothing,
  previewSubscription: nothing,

  listSubscriptions: listOf('subscription'),
  addSubscription: project,
  getSubscription: subscription,
  replaceSubscription: and(subscription, project, moves),
  updateSubscription: and(subscription, project, moves),
  deleteSubscription: subscription,
  refreshSubscription: and(subscription, moves),
  listNodes: subscription,
  listFetches: subscription,
  listSubscriptionVersions: subscription,
  diffSubscriptionVersion: subscription,
  pinSubscription: and(subscription, moves),

  listTemplates: listOf('template'),
  createTemplate: project,
  adoptTemplate: project,
  getTemplate: template,
  replaceTemplate: and(template, project, moves),
  deleteTemplate: template,
  listTemplateVersions: template,

  listConfigs: listOf('config'),
  createConfig: recipe,
  getConfig: config,
  replaceConfig: and(config, recipe, moves),
  updateConfig: and(config, recipe, moves),
  deleteConfig: config,
  generateConfig: and(config, moves),
  validateConfig: config,
  listConfigVersions: config,
  getConfigVersion: config,
  markConfigVersion: config,
  publishConfigVersion: and(config, moves),
  deleteConfigVersion: config,
  diffConfigVersion: and(config, named('server', 'query.server')),
  rollbackConfig: and(config, moves),
  exportConfig: and(config, named('server', 'query.server')),
  explainConfig: config,
  testConfig: config,
  previewUpgrade: config,
  deployConfig: and(config, named('server', 'body.servers')),

  listDeployments: listOf('deployment'),
  getDeployment: named('deployment', 'params.id'),

  listServers: listOf('server'),
  getServer: server,
  deleteServer: server,
  getServerBundle: { ...server, shows_units: true },

  listTokens: listOf('token'),
  // Its bounds are looked at where the token is made.
  createToken: nothing,
  deleteToken: named('token', 'params.id'),
};

/** What reaches everything because somebody thought about it, and why. */
export const everything: Readonly<Record<string, string>> = {
  getStatus: 'counts of everybody',
  getMetrics: 'counts of everybody',
  listEvents: 'what was deleted cannot be judged',
  listAuditEntries: 'what was deleted cannot be judged',
  getAuditEntry: 'what was deleted cannot be judged',
  listAuditCheckpoints: 'the log is one',
  exportAudit: 'the log is one',
  listSettings: 'values of a scope are for servers and configs of everybody',
  getEffectiveSettings: 'values of a scope are for servers and configs of everybody',
  explainSetting: 'values of a scope are for servers and configs of everybody',
  listSettingOverrides: 'values of a scope are for servers and configs of everybody',
  createSettingOverride: 'values of a scope are for servers and configs of everybody',
  deleteSettingOverride: 'values of a scope are for servers and configs of everybody',
  getSettings: 'values of a scope are for servers and configs of everybody',
  replaceSettings: 'values of a scope are for servers and configs of everybody',
  updateSettings: 'values of a scope are for servers and configs of everybody',
  deleteSettings: 'values of a scope are for servers and configs of everybody',
  listSettingVersions: 'values of a scope are for servers and configs of everybody',
  diffSettingVersion: 'values of a scope are for servers and configs of everybody',
  rollbackSettings: 'values of a scope are for servers and configs of everybody',
  addEngine: 'engines are for all servers',
  deleteEngine: 'engines are for all servers',
  showRetention: 'shows configs and subscriptions of everybody',
  runRetention: 'removes from configs of everybody',
  listRuleSets: 'shared by all configs',
  refreshRuleSets: 'shared by all configs',
  addServer: 'a server is labelled by who is held to no labels',
  updateServer: 'labels decide what is inside',
  listJoinTokens: 'a server is labelled by who is held to no labels',
  createJoinToken: 'a server is labelled by who is held to no labels',
  deleteJoinToken: 'a server is labelled by who is held to no labels',
  listPolicies: 'policies are over all configs',
  createPolicy: 'policies are over all configs',
  testPolicy: 'policies are over all configs',
  getPolicy: 'policies are over all configs',
  updatePolicy: 'policies are over all configs',
  deletePolicy: 'policies are over all configs',
  listClients: 'a client takes any config',
  createClient: 'a client takes any config',
  getClient: 'a client takes any config',
  updateClient: 'a client takes any config',
  deleteClient: 'a client takes any config',
  rotateClient: 'a client takes any config',
  listClientDevices: 'a client takes any config',
  deleteClientDevice: 'a client takes any config',
  listClientFetches: 'a client takes any config',
  explainClient: 'a client takes any config',
  getClientRules: 'a client takes any config',
  replaceClientRules: 'a client takes any config',
  listEnvironments: 'an environment is of servers of everybody',
  createEnvironment: 'an environment is of servers of everybody',
  getEnvironment: 'an environment is of servers of everybody',
  updateEnvironment: 'an environment is of servers of everybody',
  deleteEnvironment: 'an environment is of servers of everybody',
  listAssignments: 'an assignment means servers of everybody',
  createAssignment: 'an assignment means servers of everybody',
  getAssignment: 'an assignment means servers of everybody',
  updateAssignment: 'an assignment means servers of everybody',
  deleteAssignment: 'an assignment means servers of everybody',
  listAssignedServers: 'an assignment means servers of everybody',
  listUsers: 'people are looked after by who is held to nothing',
  createUser: 'people are looked after by who is held to nothing',
  getUser: 'people are looked after by who is held to nothing',
  updateUser: 'people are looked after by who is held to nothing',
  setUserPassword: 'people are looked after by who is held to nothing',
  deleteUserTotp: 'people are looked after by who is held to nothing',
  deleteUser: 'people are looked after by who is held to nothing',
};

/** Undefined: everything. */
export const reachOf = ({ id }: Pick<Route, 'id'>): Reach | undefined =>
  Object.hasOwn(reaches, id) ? reaches[id] : undefined;

/** Whether somebody decided what an operation means to callers with bounds; strangers have none. */
export const isReachDecided = ({ id, permission }: Route): boolean =>
  permission === 'public' || Object.hasOwn(reaches, id) || Object.hasOwn(everything, id);

/** In words, for the documents: what callers with bounds meet. */
export function describeReach(route: Pick<Route, 'id' | 'permission'>): string {
  const reach = reachOf(route);
  if (route.permission === 'public') return 'open';
  if (!reach) return `refused: ${everything[route.id] ?? 'nobody decided about it'}`;
  const kinds = [...new Set(reach.names.map(({ kind }) => kind))];
  const parts = [
    ...(kinds.length === 0 ? [] : [`${kinds.join(', ')} inside`]),
    ...(reach.lists ? [`shows each ${reach.lists} inside`] : []),
    ...(reach.moves || route.id === 'deployConfig' ? ['every server that it reaches inside'] : []),
    ...(reach.shows_units ? ['what it runs inside'] : []),
  ];
  return parts.length === 0 ? 'open' : parts.join('; ');
}
