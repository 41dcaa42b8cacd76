import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { createTokensHandlers, type TokensHandlersDeps } from './access/tokens-routes.ts';
import type { Features } from './features.ts';
import { createAuditRoutes } from './features/audit/audit-routes.ts';
import type { AuditService } from './features/audit/audit-service.ts';
import { createConfigsRoutes } from './features/configs/configs-routes.ts';
import { createEnginesRoutes } from './features/engines/engines-routes.ts';
import { createJoinTokensRoutes, createServersRoutes } from './features/servers/servers-routes.ts';
import type { Login } from './features/people/login.ts';
import { createRolesRoutes, createSessionRoutes, createUsersRoutes } from './features/people/people-routes.ts';
import type { UsersService } from './features/people/users-service.ts';
import { createRuleSetsRoutes } from './features/rule-sets/rule-sets-routes.ts';
import { createSubscriptionsRoutes } from './features/subscriptions/subscriptions-routes.ts';
import { createTemplatesRoutes } from './features/templates/templates-routes.ts';
import { createEventsRoutes, createSystemRoutes, type SystemDeps } from './features/system/system-routes.ts';

export interface People {
  readonly tokens: TokensHandlersDeps;
  readonly users: UsersService;
  readonly login: Login;
  readonly trustedProxies: readonly string[];
}

/** The handlers of everything that people and programs may ask. */
export const createOperators = (
  features: Features & { readonly audit: AuditService },
  system: Omit<SystemDeps, 'servers'>,
  { tokens, users, login, trustedProxies }: People,
): Handlers<OperatorContract> => ({
  subscriptions: createSubscriptionsRoutes(features.subscriptions),
  configs: createConfigsRoutes(features.configs, features.deployments, features.questions),
  templates: createTemplatesRoutes(features.templates),
  engines: createEnginesRoutes(features.engines, features.questions),
  ruleSets: createRuleSetsRoutes(features.ruleSets),
  deployments: {
    list: async ({ query }) => await features.deployments.list(query),
    get: async ({ params }) => await features.deployments.get(params.id),
  },
  servers: createServersRoutes(features.servers),
  joinTokens: createJoinTokensRoutes(features.joinTokens),
  events: createEventsRoutes(system.store),
  audit: createAuditRoutes(features.audit),
  tokens: createTokensHandlers(tokens),
  users: createUsersRoutes(users),
  roles: createRolesRoutes(),
  session: createSessionRoutes(login, trustedProxies),
  system: createSystemRoutes({ ...system, servers: features.servers }),
});
