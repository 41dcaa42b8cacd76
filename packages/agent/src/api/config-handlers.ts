import { redact } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import type { localRoutes } from '@sbox/protocol';
import type { Order } from '../order.ts';
import type { LocalApiDeps } from './local-api-deps.ts';

/** A larger config is not parsed in the agent's own memory. */
const maxShownBytes = 1024 * 1024;

type ConfigRoutes = Pick<
  typeof localRoutes,
  'config' | 'history' | 'rollback' | 'release' | 'plan' | 'apply' | 'confirm'
>;

/** What this server runs, ran, and is handed by somebody at this machine. */
export const createConfigHandlers = ({
  reconciler,
  statusSource,
  events,
  openFile,
}: LocalApiDeps): Handlers<ConfigRoutes> => {
  return {
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
    release: async () => ({ reason: await reconciler.release() }),
    plan: async ({ query, body }) => {
      const { order } = await openFile(query.name, body);
      return { ...handedOf(order), items: [...(await reconciler.plan(order))] };
    },
    apply: async ({ query, body }) => {
      const { order, take } = await openFile(query.name, body);
      await reconciler.refuseHeld(order);
      await take(query.confirm_ms);
      events.add('config.handed-in', {
        ...handedOf(order),
        ...(query.confirm_ms ? { confirm_ms: query.confirm_ms } : {}),
      });
      return { ...handedOf(order), digests: order.manifest.units.map(({ config }) => config.digest) };
    },
    confirm: async () => {
      const { confirm } = statusSource.status();
      await reconciler.confirm();
      const { epoch, generation } = confirm ?? reconciler.state.running ?? { epoch: 0, generation: 0 };
      return { epoch, generation };
    },
  };
};

const handedOf = ({ source, manifest: { epoch, generation } }: Order) => ({ epoch, generation, source });

/** The rendition without its credentials; null when it is too large to be looked at here. */
const shown = (text: string): unknown => (text.length > maxShownBytes ? null : redact(JSON.parse(text) as unknown, 64));
