import { ProblemError } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import type { localRoutes } from '@sbox/protocol';
import { createConfigHandlers } from './config-handlers.ts';
import type { LocalApiDeps } from './local-api-deps.ts';

/** Conditions that say of a running server what is wrong with it. */
const troubles = new Set<string>([
  'Degraded',
  'DiskPressure',
  'MemoryPressure',
  'FdPressure',
  'UplinkDown',
  'Frozen',
  'Drift',
  'ClockSkewed',
]);

export const createLocalHandlers = (deps: LocalApiDeps): Handlers<typeof localRoutes> => {
  const { reconciler, statusSource, manager, serverId, events } = deps;
  return {
    live: async () => ({ ok: true }),
    health: async () => {
      const { conditions, phase } = statusSource.status();
      const ready = conditions.find(({ type }) => type === 'Ready');
      const trouble = conditions.find(({ type, status }) => status === 'true' && troubles.has(type));
      return {
        ok: ready?.status === 'true' && trouble?.type !== 'Degraded',
        phase,
        manager_reachable: manager()?.reachability.isReachable ?? false,
        message: (trouble ?? ready)?.message ?? '',
      };
    },
    status: async () => {
      const session = manager();
      const { reachability, transport } = session ?? {};
      return {
        ...statusSource.status(),
        server_id: serverId(),
        manager: reachability
          ? {
              url: transport?.url ?? '',
              reachable: reachability.isReachable,
              since: reachability.since,
              tries: reachability.tries,
              next_try_at: reachability.nextTryAt,
              refusal: reachability.refusal,
              transport: reachability.transport,
              via: transport?.place.way.via ?? 'direct',
            }
          : null,
      };
    },
    processes: async () => ({ items: reconciler.processes() }),
    ...createConfigHandlers(deps),
    rotateKey: async () => {
      const session = manager();
      if (!session) throw new ProblemError('agent.not-joined', 'there is no manager that knows a key of this server');
      return await session.rotateKey();
    },
    events: async ({ query }) => events.list(query.limit, query.cursor),
    logs: async ({ query }) => ({ items: await reconciler.logs(query.unit, query.lines) }),
    metrics: async () => {
      const { printMetrics } = await import('./print-metrics.ts');
      return { bytes: Buffer.from(await printMetrics(deps)), etag: undefined };
    },
    import: async ({ body }) => {
      const { epoch, generation } = await deps.importBundle(body);
      return { epoch, generation };
    },
  };
};
