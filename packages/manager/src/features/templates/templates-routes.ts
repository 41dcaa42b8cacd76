import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { mayReveal } from '../reveal.ts';
import type { TemplatesService } from './templates-service.ts';

export const createTemplatesRoutes = (service: TemplatesService): Handlers<OperatorContract['templates']> => ({
  list: async ({ query }, { caller }) => await service.list(query, caller),
  create: async ({ body }, { caller }) => await service.create(body, caller),
  adopt: async ({ body }, { caller }) => await service.adopt(body, caller),
  get: async ({ params, query }, { caller }) =>
    await service.get(params.name, query.version, {
      reveal: mayReveal(query.reveal, caller),
      bounds: caller.bounds,
    }),
  replace: async ({ params, headers, body }, { caller }) =>
    await service.replace(params.name, headers['if-match'], body, caller),
  remove: async ({ params, headers }, { caller }) =>
    await service.remove(params.name, headers['if-match'], caller.bounds),
  versions: async ({ params, query }) => await service.versions(params.name, query),
});
