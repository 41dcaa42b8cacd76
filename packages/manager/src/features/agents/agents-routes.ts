import { isoTime, ProblemError, type Clock, type Envelope } from '@sbox/core';
import type { Handlers } from '@sbox/daemon/serve';
import { bootHeader, type agentRoutes } from '@sbox/protocol';
import { decompress } from '../../database/compressed.ts';
import type { Store } from '../../database/store.ts';
import { digestsIn, enginesIn } from '../deployments/manifests.ts';
import type { EnginesService } from '../engines/engines-service.ts';
import type { Presence } from '../servers/presence.ts';
import type { AgentKeys } from './agent-keys.ts';
import type { CloneWatch } from './clone-watch.ts';
import { enginePiece, rangeOf, readRange } from './blob-ranges.ts';
import type { createDrafts } from './drafts.ts';
import { waitOf, type Desired } from './desired.ts';
import type { createEnrolment } from './enrolment.ts';
import type { Statuses } from './statuses.ts';

export interface AgentsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly presence: Presence;
  readonly desired: Desired;
  readonly engines: Pick<EnginesService, 'find' | 'piece'>;
  readonly statuses: Statuses;
  readonly enrol: ReturnType<typeof createEnrolment>;
  readonly agentKeys: AgentKeys;
  readonly clones: Pick<CloneWatch, 'admit'>;
  readonly takeDraft: ReturnType<typeof createDrafts>;
  readonly trust: { readonly root_key: string; readonly trust: Envelope; readonly ca_pem: string | null };
  /** Aborts when the manager stops, so that nobody is kept waiting. */
  readonly stopping: AbortSignal;
}

/** Generations back whose content a server may still fetch. */
const recentGenerations = 20;

export function createAgentsRoutes(deps: AgentsDeps): Handlers<typeof agentRoutes> {
  const { store, clock, presence, desired, statuses, clones, stopping } = deps;
  return {
    trust: async () => await Promise.resolve(deps.trust),
    enrol: async ({ body }) => await deps.enrol(body),
    async desired({ headers }, { caller, gone }) {
      clones.admit(caller.id, headers[bootHeader]);
      presence.seen(caller.id);
      const ask = { known: headers['if-none-match'], waitMs: waitOf(headers.prefer) };
      return await desired.get(caller.id, { ...ask, signal: AbortSignal.any([gone(), stopping]) });
    },
    async blob({ params: { digest }, headers }, { caller }) {
      const manifests = await store.servers.recentManifests(caller.id, recentGenerations);
      const etag = `"${digest}"`;
      // What is asked for goes on with something else: all of it, then.
      const range = (headers['if-range'] ?? etag) === etag ? headers.range : undefined;
      if (manifests.some(({ units }) => enginesIn(units).includes(digest)))
        return await enginePiece(deps.engines, digest, range);
      const isNamed = manifests.some(({ units }) => digestsIn(units).includes(digest));
      const content = isNamed
        ? ((await store.configs.compressedContent(digest)) ?? (await store.blobs.compressed(digest)))
        : undefined;
      if (!content) throw new ProblemError('blob.not-found', `no manifest of this server names ${digest}`);
      if (range !== undefined) {
        const plain = decompress(content);
        const { from, length } = readRange(range, plain.length, plain.length);
        return { bytes: plain.subarray(from, from + length), etag, range: rangeOf(from, length, plain.length) };
      }
      const takesZstd = /(?:^|[,\s])zstd(?:[,;\s]|$)/.test(headers['accept-encoding'] ?? '');
      return takesZstd ? { bytes: content, etag, encoding: 'zstd' } : { bytes: decompress(content), etag };
    },
    async status({ body }, { caller }) {
      clones.admit(caller.id, body.boot_id);
      await statuses.take(caller.id, body);
      return {
        ack_seq: body.seq,
        server_time: isoTime(clock.now()),
        desired: await desired.newest(caller.id),
      };
    },
    keys: async ({ body }, { caller }) => await deps.agentKeys.bring(caller.id, body),
    draft: async ({ body }, { caller }) => ({ subscription: await deps.takeDraft(caller.id, body) }),
  };
}
