import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { EnvironmentsService } from './environments-service.ts';

export const createEnvironmentsRoutes = (service: EnvironmentsService): Handlers<OperatorContract['environments']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }) => await service.create(body),
  get: async ({ params }) => await service.get(params.name),
  update: async ({ params, headers, body }) => await service.edit(params.name, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.name, headers['if-match']),
});
