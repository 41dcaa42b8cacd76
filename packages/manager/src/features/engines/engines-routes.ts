import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { ConfigQuestions } from '../configs/config-questions.ts';
import type { EnginesService } from './engines-service.ts';

export const createEnginesRoutes = (
  engines: EnginesService,
  questions: Pick<ConfigQuestions, 'capabilities'>,
): Handlers<OperatorContract['engines']> => ({
  capabilities: async ({ query }) => await Promise.resolve(questions.capabilities(query)),
  list: async ({ query }) => await engines.list(query),
  add: async ({ query, body }, { caller }) => await engines.add({ ...query, bytes: body, author: caller.name }),
  remove: async ({ params }) => await engines.remove(params.digest),
});
