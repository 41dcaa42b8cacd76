import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { createTokensHandlers, type TokensHandlersDeps } from './access/tokens-routes.ts';
import type { Features } from './features.ts';
import { createConfigsRoutes } from './features/configs/configs-routes.ts';
import { createEnginesRoutes } from './features/engines/engines-routes.ts';
import { createJoinTokensRoutes, createServersRoutes } from './features/servers/servers-routes.ts';
import { createRuleSetsRoutes } from './features/rule-sets/rule-sets-routes.ts';
import { createSubscriptionsRoutes } from './features/subscriptions/subscriptions-routes.ts';
import { createTemplatesRoutes } from './features/templates/templates-routes.ts';
import { createEventsRoutes, createSystemRoutes, type SystemDeps } from './features/system/system-routes.ts';

/** The handlers of everything that people and programs may ask. */
export const createOperators = (
  { subscriptions, configs, questions, templates, engines, ruleSets, deployments, servers, joinTokens }: Features,
  system: Omit<SystemDeps, 'servers'>,
  tokens: TokensHandlersDeps,
): Handlers<OperatorContract> => ({
  subscriptions: createSubscriptionsRoutes(subscriptions),
  configs: createConfigsRoutes(configs, deployments, questions),
  templates: createTemplatesRoutes(templates),
  engines: createEnginesRoutes(engines, questions),
  ruleSets: createRuleSetsRoutes(ruleSets),
  deployments: {
    list: async ({ query }) => await deployments.list(query),
    get: async ({ params }) => await deployments.get(params.id),
  },
  servers: createServersRoutes(servers),
  joinTokens: createJoinTokensRoutes(joinTokens),
  events: createEventsRoutes(system.store),
  tokens: createTokensHandlers(tokens),
  system: createSystemRoutes({ ...system, servers }),
});
