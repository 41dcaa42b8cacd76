import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { RuleSets } from './rule-sets-service.ts';

export const createRuleSetsRoutes = (ruleSets: RuleSets): Handlers<OperatorContract['ruleSets']> => ({
  list: async ({ query }) => await ruleSets.list(query),
  refresh: async ({ body }) => ({ items: await ruleSets.refresh(body.urls) }),
});
