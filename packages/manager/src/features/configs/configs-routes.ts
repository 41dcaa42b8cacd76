import type { Handlers } from '@sbox/daemon/serve';
import type { OperatorContract } from '@sbox/protocol';
import type { DeploymentsService } from '../deployments/deployments-service.ts';
import { projectsOf } from '../../access/bounds.ts';
import { mayReveal } from '../reveal.ts';
import type { ConfigQuestions } from './config-questions.ts';
import type { ConfigsService } from './configs-service.ts';
import { showVersion, showVersionTo } from './shown-version.ts';

export const createConfigsRoutes = (
  service: ConfigsService,
  deployments: Pick<DeploymentsService, 'deploy'>,
  questions: ConfigQuestions,
): Handlers<OperatorContract['configs']> => ({
  list: async ({ query }, { caller }) => await service.list({ ...query, projects: projectsOf(caller, query.project) }),
  create: async ({ query, body }, { caller }) => await service.create(body, caller, query.draft),
  get: async ({ params, query }, { caller }) => await service.get(params.id, mayReveal(query.reveal, caller)),
  replace: async ({ params: { id }, headers, body }, { caller }) =>
    await service.replace({ id, ifMatch: headers['if-match'], caller }, body),
  update: async ({ params: { id }, headers, body }, { caller }) =>
    await service.update({ id, ifMatch: headers['if-match'], caller }, body),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
  generate: async ({ params, body }, { caller }) => {
    const { created, version } = await service.generate(params.id, { ...body, author: caller.name });
    return { created, version: showVersionTo(caller, showVersion(version)) };
  },
  validate: async ({ params }) => await service.validate(params.id),
  versions: async ({ params, query }, { caller }) => {
    const { items, next_cursor } = await service.versions(params.id, query);
    return { items: items.map((version) => showVersionTo(caller, version)), next_cursor };
  },
  version: async ({ params }, { caller }) => showVersionTo(caller, await service.version(params.id, params.version)),
  mark: async ({ params, headers, body }, { caller }) =>
    showVersionTo(caller, await service.mark(params.id, params.version, headers['if-match'], body)),
  publish: async ({ params }, { caller }) =>
    showVersionTo(caller, await service.publish(params.id, params.version, caller.name)),
  discard: async ({ params, headers }) => await service.discard(params.id, params.version, headers['if-match']),
  diff: async ({ params, query }) => await service.diff(params.id, params.version, query),
  rollback: async ({ params, body }, { caller }) =>
    showVersionTo(
      caller,
      await service.rollback(params.id, body.version, { author: caller.name, message: body.message }),
    ),
  deploy: async ({ params, body }, { caller: { name: author, bounds } }) =>
    await deployments.deploy(params.id, { ...body, author, bounds }),
  explain: async ({ params, body }) => await questions.explain(params.id, body),
  tests: async ({ params }) => await questions.tests(params.id),
  upgradePreview: async ({ params, body }) => await questions.upgradePreview(params.id, body),
  export: async ({ params, query }) => await service.export(params.id, query.version, query.server),
});
