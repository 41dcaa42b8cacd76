import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { JoinTokensService } from './join-tokens-service.ts';
import type { ServersService } from './servers-service.ts';

export const createServersRoutes = (service: ServersService): Handlers<OperatorContract['servers']> => ({
  list: async ({ query }, { caller }) => await service.list(query, caller.bounds),
  add: async ({ body }) => await service.addIsland(body),
  get: async ({ params }) => await service.get(params.id),
  update: async ({ params, headers, body }) => await service.edit(params.id, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
  bundle: async ({ params, query }) => await service.bundle(params.id, query.engine),
});

export const createJoinTokensRoutes = (service: JoinTokensService): Handlers<OperatorContract['joinTokens']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }) => await service.create(body),
  remove: async ({ params }) => await service.remove(params.id),
});
