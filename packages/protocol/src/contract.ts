import { assignments } from './operator/assignments.ts';
import { audit } from './operator/audit.ts';
import { clientRules } from './operator/client-rules.ts';
import { clients, sub } from './operator/clients.ts';
import { configs } from './operator/configs.ts';
import { deployments } from './operator/deployments.ts';
import { engines } from './operator/engines.ts';
import { environments } from './operator/environments.ts';
import { peopleRoles, session, users } from './operator/people.ts';
import { policies } from './operator/policies.ts';
import { retention } from './operator/retention.ts';
import { ruleSets } from './operator/rule-sets.ts';
import { joinTokens, servers } from './operator/servers.ts';
import { settings } from './operator/settings.ts';
import { subscriptions } from './operator/subscriptions.ts';
import { events, system } from './operator/system.ts';
import { templates } from './operator/templates.ts';
import { tokens } from './operator/tokens.ts';

/** Everything that people and programs may ask a manager. */
export const operatorContract = {
  subscriptions,
  configs,
  templates,
  policies,
  settings,
  clients,
  clientRules,
  engines,
  ruleSets,
  retention,
  deployments,
  servers,
  environments,
  assignments,
  joinTokens,
  events,
  audit,
  tokens,
  users,
  roles: peopleRoles,
  session,
  system,
  sub,
};
export type OperatorContract = typeof operatorContract;
