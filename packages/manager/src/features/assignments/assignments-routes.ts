import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { AssignmentsService } from './assignments-service.ts';

export const createAssignmentsRoutes = (service: AssignmentsService): Handlers<OperatorContract['assignments']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }) => await service.create(body),
  get: async ({ params }) => await service.get(params.id),
  update: async ({ params, headers, body }) => await service.edit(params.id, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
  servers: async ({ params, query }) => await service.servers(params.id, query),
});
