import { redact } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import type { localRoutes } from '@sbox/protocol';
import type { LocalApiDeps } from './local-api-deps.ts';

/** A larger config is not parsed in the agent's own memory. */
const maxShownBytes = 1024 * 1024;

export const createLocalHandlers = (deps: LocalApiDeps): Handlers<typeof localRoutes> => {
  const { reconciler, statusSource, manager, serverId, events } = deps;
  return {
    live: async () => ({ ok: true }),
    health: async () => {
      const { conditions, phase } = statusSource.status();
      const ready = conditions.find(({ type }) => type === 'Ready');
      const trouble = conditions.find(
        ({ type, status }) =>
          status === 'true' && ['Degraded', 'DiskPressure', 'Frozen', 'Drift', 'ClockSkewed'].includes(type),
      );
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
              transport: reachability.transport,
            }
          : null,
      };
    },
    processes: async () => ({ items: reconciler.processes() }),
    config: async () => {
      const renditions = await reconciler.renditions();
      return {
        items: renditions.map(({ unit, digest, text }) => ({ unit, digest, config: shown(text) })),
      };
    },
    history: async () => ({ items: await reconciler.history() }),
    rollback: async () => {
      const entry = await reconciler.rollback();
      events.add('server.rolled-back', { epoch: entry.epoch, generation: entry.generation });
      return entry;
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

/** The rendition without its credentials; null when it is too large to be looked at here. */
const shown = (text: string): unknown => (text.length > maxShownBytes ? null : redact(JSON.parse(text) as unknown, 64));
