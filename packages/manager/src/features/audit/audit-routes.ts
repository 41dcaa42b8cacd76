import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { AuditService } from './audit-service.ts';

export const createAuditRoutes = (service: AuditService): Handlers<OperatorContract['audit']> => ({
  list: async ({ query }) => await service.list(query),
  get: async ({ params }) => await service.get(params.seq),
  checkpoints: async ({ query }) => await service.checkpoints(query),
  export: async ({ query }) => ({ bytes: await service.export(query), etag: undefined }),
});
