import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { RetentionService } from './retention-service.ts';

export const createRetentionRoutes = (retention: RetentionService): Handlers<OperatorContract['retention']> => ({
  show: async ({ query }) => await retention.show(query),
  run: async () => await retention.run(),
});
