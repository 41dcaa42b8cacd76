import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { createTokensHandlers, type TokensHandlersDeps } from './access/tokens-routes.ts';
import type { Features } from './features.ts';
import { createAuditRoutes } from './features/audit/audit-routes.ts';
import type { AuditService } from './features/audit/audit-service.ts';
import { createClientRulesRoutes, createClientsRoutes, createSubRoutes } from './features/clients/clients-routes.ts';
import { createConfigsRoutes } from './features/configs/configs-routes.ts';
import { createAssignmentsRoutes } from './features/assignments/assignments-routes.ts';
import { createEnvironmentsRoutes } from './features/environments/environments-routes.ts';
import { createEnginesRoutes } from './features/engines/engines-routes.ts';
import { createJoinTokensRoutes, createServersRoutes } from './features/servers/servers-routes.ts';
import type { Login } from './features/people/login.ts';
import type { OidcLogin } from './features/people/oidc-login.ts';
import { createOidcQuestion } from './features/people/oidc-routes.ts';
import { createRolesRoutes, createSessionRoutes, createUsersRoutes } from './features/people/people-routes.ts';
import type { UsersService } from './features/people/users-service.ts';
import { createPoliciesRoutes } from './features/policies/policies-routes.ts';
import { createRetentionRoutes } from './features/retention/retention-routes.ts';
import { createRuleSetsRoutes } from './features/rule-sets/rule-sets-routes.ts';
import { createSubscriptionsRoutes } from './features/subscriptions/subscriptions-routes.ts';
import { createSettingsRoutes } from './features/settings/settings-routes.ts';
import { createTemplatesRoutes } from './features/templates/templates-routes.ts';
import { createEventsRoutes, createSystemRoutes, type SystemDeps } from './features/system/system-routes.ts';

export interface People {
  readonly tokens: TokensHandlersDeps;
  readonly users: UsersService;
  readonly login: Login;
  /** Undefined where no identity provider is set up. */
  readonly oidc: OidcLogin | undefined;
  readonly trustedProxies: readonly string[];
}

/** The handlers of everything that people and programs may ask. */
export const createOperators = (
  features: Features & { readonly audit: AuditService },
  system: Omit<SystemDeps, 'servers'>,
  { tokens, users, login, oidc, trustedProxies }: People,
): Handlers<OperatorContract> => ({
  subscriptions: createSubscriptionsRoutes(features.subscriptions),
  configs: createConfigsRoutes(features.configs, features.deployments, features.questions),
  settings: createSettingsRoutes(features.settings),
  templates: createTemplatesRoutes(features.templates),
  policies: createPoliciesRoutes(features.policies),
  engines: createEnginesRoutes(features.engines, features.questions),
  ruleSets: createRuleSetsRoutes(features.ruleSets),
  retention: createRetentionRoutes(features.retention),
  deployments: {
    list: async ({ query }, { caller }) => await features.deployments.list(query, caller.bounds),
    get: async ({ params }) => await features.deployments.get(params.id),
  },
  servers: createServersRoutes(features.servers),
  assignments: createAssignmentsRoutes(features.assignments),
  environments: createEnvironmentsRoutes(features.environments),
  clients: createClientsRoutes(features.clients),
  clientRules: createClientRulesRoutes(features.clients),
  sub: createSubRoutes({ serve: features.serveSub, origin: features.clientOrigin.told, trustedProxies }),
  joinTokens: createJoinTokensRoutes(features.joinTokens),
  events: createEventsRoutes(system.store),
  audit: createAuditRoutes(features.audit),
  tokens: createTokensHandlers(tokens),
  users: createUsersRoutes(users),
  roles: createRolesRoutes(),
  session: { ...createSessionRoutes(login, trustedProxies), oidc: createOidcQuestion({ oidc, trustedProxies }) },
  system: createSystemRoutes({ ...system, servers: features.servers }),
});
