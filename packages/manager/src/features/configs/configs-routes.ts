import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { DeploymentsService } from '../deployments/deployments-service.ts';
import { mayReveal } from '../reveal.ts';
import type { ConfigQuestions } from './config-questions.ts';
import { showVersion, type ConfigsService } from './configs-service.ts';

export const createConfigsRoutes = (
  service: ConfigsService,
  deployments: Pick<DeploymentsService, 'deploy'>,
  questions: ConfigQuestions,
): Handlers<OperatorContract['configs']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }, { caller }) => await service.create(body, caller.name),
  get: async ({ params, query }, { caller }) => await service.get(params.id, mayReveal(query.reveal, caller)),
  replace: async ({ params, headers, body }) => await service.replace(params.id, headers['if-match'], body),
  update: async ({ params, headers, body }) => await service.update(params.id, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
  generate: async ({ params, body }, { caller }) => {
    const { created, version } = await service.generate(params.id, { author: caller.name, message: body.message });
    return { created, version: showVersion(version) };
  },
  validate: async ({ params }) => await service.validate(params.id),
  versions: async ({ params, query }) => await service.versions(params.id, query),
  version: async ({ params }) => await service.version(params.id, params.version),
  diff: async ({ params, query }) => await service.diff(params.id, params.version, query.against),
  rollback: async ({ params, body }, { caller }) =>
    await service.rollback(params.id, body.version, { author: caller.name, message: body.message }),
  deploy: async ({ params, body }, { caller }) => await deployments.deploy(params.id, { ...body, author: caller.name }),
  explain: async ({ params, body }) => await questions.explain(params.id, body),
  tests: async ({ params }) => await questions.tests(params.id),
  upgradePreview: async ({ params, body }) => await questions.upgradePreview(params.id, body),
  export: async ({ params, query }) => await service.export(params.id, query.version),
});
