import { isoTime, messageOf, ProblemError } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Manifest, Nack } from '@sbox/protocol';
import { observedAs, type BlobSource, type Reconciler } from '../order.ts';
import {
  checkTrust,
  openManifest,
  readEnvelope,
  requireCa,
  type OpenedManifest,
  type Trusted,
} from '../trust/trust-store.ts';
import type { AgentClient } from './agent-client.ts';
import type { ServerClock } from './server-clock.ts';

export interface ManifestIntakeDeps {
  readonly client: Pick<AgentClient, 'trust' | 'draft'>;
  readonly reconciler: Pick<Reconciler, 'offer' | 'state'>;
  readonly blobs: BlobSource;
  readonly server_id: string;
  readonly pin: string;
  readonly agentVersion: string;
  readonly trusted: Trusted;
  readonly storeTrust: (trusted: Trusted) => Promise<void>;
  /** The text of the config that was imported by file, while it runs. */
  readonly localText: () => Promise<Uint8Array | undefined>;
  /** Sees every verified manifest before it is followed. */
  readonly onManifest?: (manifest: Manifest) => Promise<void>;
  readonly serverClock: ServerClock;
  readonly log: Logger;
}

export interface ManifestIntake {
  /**
   * Verifies what the manager answered and hands it on.
   * @throws ProblemError `remote.failed` when it was no envelope, `manifest.*` when it is refused
   */
  take(bytes: Uint8Array): Promise<Manifest>;
  /** The same without handing it on: whoever gave these bytes is the manager, or has listened to it. @throws as above */
  verify(bytes: Uint8Array): Promise<Manifest>;
  readonly trusted: Trusted;
  /** The newest manifest that was verified. */
  readonly last: Manifest | undefined;
  readonly drift: string | null;
}

export function createManifestIntake(deps: ManifestIntakeDeps): ManifestIntake {
  const { client, reconciler, log } = deps;
  let { trusted } = deps;
  let last: Manifest | undefined;
  let drift: string | null = null;

  const verify = async (bytes: Uint8Array): Promise<OpenedManifest> => {
    const envelope = readEnvelope(bytes);
    if (!envelope) throw new ProblemError('remote.failed', 'the answer is no signed document');
    const open = (): OpenedManifest =>
      openManifest(envelope, trusted, {
        serverId: deps.server_id,
        agentVersion: deps.agentVersion,
        nowMs: deps.serverClock.now(),
        accepted: observedAs(reconciler.state, deps.server_id),
      });
    try {
      return open();
    } catch (error) {
      // The manager may have changed its online key; the root key says whether the new one is right.
      if (!(error instanceof ProblemError) || error.code !== 'manifest.unknown-key' || !(await refreshTrust()))
        throw error;
      return open();
    }
  };

  const refreshTrust = async (): Promise<boolean> => {
    try {
      const fresh = checkTrust(await client.trust(), deps.pin);
      requireCa(fresh);
      if (fresh.trust.version <= trusted.trust.version) return false;
      await deps.storeTrust(fresh);
      trusted = fresh;
      return true;
    } catch (error) {
      log.warn('trust document not refreshed', { error: messageOf(error) });
      return false;
    }
  };

  return {
    get trusted() {
      return trusted;
    },
    get last() {
      return last;
    },
    get drift() {
      return reconciler.state.running?.source === 'local' ? drift : null;
    },
    verify: async (bytes) => (await verify(bytes)).manifest,
    async take(bytes) {
      const opened = await verify(bytes);
      const { manifest } = opened;
      last = manifest;
      await deps.onManifest?.(manifest);
      if (isWithoutOrder(manifest)) return manifest;
      const isLocal = reconciler.state.running?.source === 'local';
      if (isLocal && manifest.on_return === 'hold') {
        drift = `an imported config runs; generation ${manifest.generation} of the manager waits (on_return: hold)`;
        return manifest;
      }
      // Handed in before anything replaces it, so that the operator's emergency work is not lost.
      if (isLocal && manifest.on_return === 'adopt') await handIn();
      reconciler.offer({ source: 'manager', ...opened, blobs: deps.blobs });
      return manifest;
    },
  };

  async function handIn(): Promise<void> {
    const body = await deps.localText();
    if (body === undefined) return;
    const { subscription } = await client.draft({ body });
    log.info('imported config handed in', { subscription });
  }
}

/** It only says how to reach the manager: what runs here, imported or from before, goes on. */
export const isWithoutOrder = ({ critical = [] }: Pick<Manifest, 'critical'>): boolean => critical.includes('no-order');

/** A refusal as the manager gets it. What an unverified manifest says of itself is not repeated, only its ETag's numbers. */
export function nackOf(refusal: ProblemError, etag: string | undefined, nowMs: number): Nack {
  const [, epoch, generation] = /^"?(\d{1,9})\.(\d{1,9})\./.exec(etag ?? '') ?? [];
  const told = refusal.details as { epoch?: number; generation?: number } | undefined;
  return {
    epoch: told?.epoch ?? Number(epoch ?? 0),
    generation: told?.generation ?? Number(generation ?? 0),
    digest: null,
    stage: 'verify',
    code: refusal.code,
    unit: null,
    message: refusal.message.slice(0, 2048),
    sticky: true,
    at: isoTime(nowMs),
    retry_at: null,
  };
}
