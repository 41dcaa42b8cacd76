import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import { projectsOf } from '../../access/bounds.ts';
import { mayReveal } from '../reveal.ts';
import type { SubscriptionsService } from './subscriptions-service.ts';

export const createSubscriptionsRoutes = (
  service: SubscriptionsService,
): Handlers<OperatorContract['subscriptions']> => ({
  list: async ({ query }, { caller }) => await service.list({ ...query, projects: projectsOf(caller, query.project) }),
  add: async ({ body }) => await service.add(body),
  preview: async ({ body }, { gone }) => await service.preview(body.source, gone()),
  get: async ({ params, query }, { caller }) => await service.get(params.id, mayReveal(query.reveal, caller)),
  replace: async ({ params, headers, body }) => await service.write(params.id, headers['if-match'], body),
  update: async ({ params, headers, body }) => await service.write(params.id, headers['if-match'], body),
  remove: async ({ params, headers }, { caller }) =>
    await service.remove(params.id, headers['if-match'], caller.bounds),
  refresh: async ({ params, query }) => await service.refresh(params.id, query.accept),
  nodes: async ({ params, query }, { caller }) => await service.nodes(params.id, mayReveal(query.reveal, caller)),
  fetches: async ({ params, query }) => await service.fetches(params.id, query),
  versions: async ({ params, query }) => await service.versions(params.id, query),
  diff: async ({ params, query }) => await service.diff(params.id, params.version, query.against),
  pin: async ({ params, body }) => await service.pin(params.id, body.version),
});
