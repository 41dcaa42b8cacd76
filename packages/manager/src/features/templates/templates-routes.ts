import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { mayReveal } from '../reveal.ts';
import type { TemplatesService } from './templates-service.ts';

export const createTemplatesRoutes = (service: TemplatesService): Handlers<OperatorContract['templates']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }, { caller }) => await service.create(body, caller.name),
  adopt: async ({ body }, { caller }) => await service.adopt(body, caller.name),
  get: async ({ params, query }, { caller }) =>
    await service.get(params.name, query.version, mayReveal(query.reveal, caller)),
  replace: async ({ params, headers, body }, { caller }) =>
    await service.replace(params.name, headers['if-match'], body, caller.name),
  remove: async ({ params, headers }) => await service.remove(params.name, headers['if-match']),
  versions: async ({ params, query }) => await service.versions(params.name, query),
});
