import { audit } from './operator/audit.ts';
import { configs } from './operator/configs.ts';
import { deployments } from './operator/deployments.ts';
import { engines } from './operator/engines.ts';
import { peopleRoles, session, users } from './operator/people.ts';
import { ruleSets } from './operator/rule-sets.ts';
import { joinTokens, servers } from './operator/servers.ts';
import { subscriptions } from './operator/subscriptions.ts';
import { events, system } from './operator/system.ts';
import { templates } from './operator/templates.ts';
import { tokens } from './operator/tokens.ts';

/** Everything that people and programs may ask a manager. */
export const operatorContract = {
  subscriptions,
  configs,
  templates,
  engines,
  ruleSets,
  deployments,
  servers,
  joinTokens,
  events,
  audit,
  tokens,
  users,
  roles: peopleRoles,
  session,
  system,
};
export type OperatorContract = typeof operatorContract;
