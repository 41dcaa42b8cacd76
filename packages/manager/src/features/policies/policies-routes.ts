import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { PoliciesService } from './policies-service.ts';

export const createPoliciesRoutes = (service: PoliciesService): Handlers<OperatorContract['policies']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }) => await service.create(body),
  test: async ({ body }) => await service.test(body),
  get: async ({ params }) => await service.get(params.name),
  update: async ({ params, headers, body }) => await service.update(params.name, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.name, headers['if-match']),
});
