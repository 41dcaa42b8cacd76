import type { Handlers, RequestContext } from '@sbox/daemon/serve';
import { formatNames, type OperatorContract } from '@sbox/protocol';
import { ownOrigin } from '../../access/session-cookie.ts';
import { mayReveal } from '../reveal.ts';
import type { ClientsService } from './clients-service.ts';
import type { SubService } from './sub-service.ts';

/** Who may see secrets, and has shown lately who they are, need not ask twice for the link that was just made. */
const seesSecrets = ({ caller }: RequestContext): boolean =>
  caller.permissions.has('secrets:reveal') && caller.unproven === undefined;
const formatOf = (name: string | undefined) => (name === undefined ? undefined : formatNames[name]);

export const createClientsRoutes = (service: ClientsService): Handlers<OperatorContract['clients']> => ({
  list: async ({ query }) => await service.list(query),
  create: async ({ body }, context) => await service.create(body, seesSecrets(context)),
  get: async ({ params, query }, { caller }) => await service.get(params.id, mayReveal(query.reveal, caller)),
  update: async ({ params, headers, body }) => await service.update(params.id, headers['if-match'], body),
  remove: async ({ params, headers }) => await service.remove(params.id, headers['if-match']),
  rotate: async ({ params }, context) => await service.rotate(params.id, seesSecrets(context)),
  devices: async ({ params }) => await service.devices(params.id),
  removeDevice: async ({ params }) => await service.removeDevice(params.id, params.hwid),
  fetches: async ({ params }) => await service.fetches(params.id),
  explain: async ({ params, body: { headers, query, path } }) =>
    await service.explain(params.id, { headers, query: formatOf(query), path: formatOf(path) }),
});

export const createClientRulesRoutes = (service: ClientsService): Handlers<OperatorContract['clientRules']> => ({
  get: async () => await service.rules(),
  replace: async ({ headers, body }) => await service.setRules(body.rules, headers['if-match']),
});

export interface SubRoutesDeps {
  readonly serve: SubService;
  /** Where clients reach `/sub`, when the settings say it. */
  readonly origin: string | undefined;
  readonly trustedProxies: readonly string[];
}

export function createSubRoutes({ serve, origin, trustedProxies }: SubRoutesDeps): Handlers<OperatorContract['sub']> {
  const answer = async (
    asked: { token: string; query: string | undefined; path?: string },
    { request, setHeader }: RequestContext,
  ) =>
    await serve({
      token: asked.token,
      query: formatOf(asked.query),
      path: formatOf(asked.path),
      headers: request.headers,
      origin: origin ?? ownOrigin(request, trustedProxies),
      setHeader,
    });
  return {
    get: async ({ params, query }, context) => await answer({ token: params.token, query: query.format }, context),
    getAs: async ({ params, query }, context) =>
      await answer({ token: params.token, query: query.format, path: params.format }, context),
  };
}
