import { isoTime, ProblemError, type Clock, type Envelope } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import type { agentRoutes } from '@sbox/protocol';
import { decompress } from '../../database/compressed.ts';
import type { Store } from '../../database/store.ts';
import { digestsIn } from '../deployments/manifests.ts';
import type { Presence } from '../servers/presence.ts';
import type { createDrafts } from './drafts.ts';
import { waitOf, type Desired } from './desired.ts';
import type { createEnrolment } from './enrolment.ts';
import type { Statuses } from './statuses.ts';

export interface AgentsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly presence: Presence;
  readonly desired: Desired;
  readonly statuses: Statuses;
  readonly enrol: ReturnType<typeof createEnrolment>;
  readonly takeDraft: ReturnType<typeof createDrafts>;
  readonly trust: { readonly root_key: string; readonly trust: Envelope; readonly ca_pem: string | null };
  /** Aborts when the manager stops, so that nobody is kept waiting. */
  readonly stopping: AbortSignal;
}

/** Generations back whose content a server may still fetch. */
const recentGenerations = 20;

export function createAgentsRoutes(deps: AgentsDeps): Handlers<typeof agentRoutes> {
  const { store, clock, presence, desired, statuses, stopping } = deps;
  return {
    trust: async () => await Promise.resolve(deps.trust),
    enrol: async ({ body }) => await deps.enrol(body),
    async desired({ headers }, { caller, signal }) {
      presence.seen(caller.id);
      const ask = { known: headers['if-none-match'], waitMs: waitOf(headers.prefer) };
      return await desired.get(caller.id, { ...ask, signal: AbortSignal.any([signal, stopping]) });
    },
    async blob({ params: { digest }, headers }, { caller }) {
      const manifests = await store.servers.recentManifests(caller.id, recentGenerations);
      const isNamed = manifests.some(({ units }) => digestsIn(units).includes(digest));
      const content = isNamed
        ? ((await store.configs.compressedContent(digest)) ?? (await store.blobs.compressed(digest)))
        : undefined;
      if (!content) throw new ProblemError('blob.not-found', `no manifest of this server names ${digest}`);
      const etag = `"${digest}"`;
      const takesZstd = /(?:^|[,\s])zstd(?:[,;\s]|$)/.test(headers['accept-encoding'] ?? '');
      return takesZstd ? { bytes: content, etag, encoding: 'zstd' } : { bytes: decompress(content), etag };
    },
    async status({ body }, { caller }) {
      await statuses.take(caller.id, body);
      return {
        ack_seq: body.seq,
        server_time: isoTime(clock.now()),
        desired: await desired.newest(caller.id),
      };
    },
    draft: async ({ body }, { caller }) => ({ subscription: await deps.takeDraft(caller.id, body) }),
  };
}
