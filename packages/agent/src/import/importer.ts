import path from 'node:path';
import { messageOf, ProblemError, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Manifest } from '@sbox/protocol';
import type { Identity } from '../identity/identity.ts';
import type { Reconciler } from '../order.ts';
import type { AgentSettings } from '../settings/schema.ts';
import type { Trusted } from '../trust/trust-store.ts';
import { createMemoryBlobs, readBundle, verifyBundle } from './bundle.ts';
import { localOrder } from './local-manifest.ts';

export interface ImporterDeps {
  readonly reconciler: Pick<Reconciler, 'offer' | 'state'>;
  /** Read anew each time: `sboxagent import --pin` may have made it meanwhile. */
  readonly identity: () => Promise<Identity | undefined>;
  readonly trusted: (pin: string) => Promise<Trusted | undefined>;
  readonly storeTrust: (trusted: Trusted) => Promise<void>;
  /** How long the manager has been away; undefined while it answers, Infinity without one. */
  readonly managerAwayMs: () => number | undefined;
  /** The newest verified manifest. */
  readonly lastManifest: () => Manifest | undefined;
  /** An imported config was handed on: the manager's order is looked at again when it answers. */
  readonly onLocal: () => void;
  readonly nowMs: () => number;
  readonly agentVersion: string;
  readonly settings: AgentSettings['import'];
  readonly clock: Clock;
  readonly log: Logger;
}

export type Admission =
  | { readonly kind: 'now' }
  | { readonly kind: 'later'; readonly waitMs: number }
  | { readonly kind: 'never'; readonly problem: ProblemError };

export interface Importer {
  /** @throws ProblemError `agent.not-joined`, `bundle.invalid`, `manager.untrusted`, `manifest.*`, `blob.digest-mismatch` */
  takeBundle(archive: Uint8Array): Promise<Manifest>;
  /** Whether a plain file may be taken at this moment. */
  admit(): Promise<Admission>;
  /** Text of an engine's config, JSON or YAML by the name of its file. @throws ProblemError `import.unsafe-file` */
  takeConfig(file: string, content: Uint8Array): Promise<Manifest>;
}

const maxYamlBytes = 1024 * 1024;

export function createImporter(deps: ImporterDeps): Importer {
  const { reconciler, settings, log, clock } = deps;
  return {
    async takeBundle(archive) {
      const opened = readBundle(archive);
      const identity = await deps.identity();
      if (!identity) {
        throw new ProblemError('agent.not-joined', 'this server does not know whom to believe', {
          fix: 'sboxagent import FILE --pin sha256:…   (the pin is what `sboxmgr server add NAME --offline` printed)',
        });
      }
      const known = await deps.trusted(identity.pin);
      const { manifest, trusted } = verifyBundle(opened, {
        pin: identity.pin,
        serverId: identity.server_id,
        trusted: known,
        agentVersion: deps.agentVersion,
        nowMs: deps.nowMs(),
        accepted: reconciler.state.observed,
      });
      // A document with another CA comes over the network only, where the CA itself comes with it.
      if (trusted !== known && (!known || known.document.ca_pem === null)) await deps.storeTrust(trusted);
      reconciler.offer({ source: 'bundle', manifest, blobs: createMemoryBlobs(opened.blobs) });
      log.info('bundle taken', { epoch: manifest.epoch, generation: manifest.generation });
      return manifest;
    },

    async admit() {
      const isEnrolled = (await deps.identity()) !== undefined;
      if (!(settings.allow_unsigned ?? !isEnrolled)) {
        const detail = isEnrolled ? 'this server has joined a manager' : 'import.allow_unsigned is false';
        return { kind: 'never', problem: new ProblemError('import.not-allowed', detail) };
      }
      if (!isEnrolled) return { kind: 'now' };
      const awayMs = deps.managerAwayMs();
      const waitMs = settings.after - (awayMs ?? 0);
      return awayMs !== undefined && waitMs <= 0 ? { kind: 'now' } : { kind: 'later', waitMs: Math.max(waitMs, 0) };
    },

    async takeConfig(file, content) {
      const { state } = reconciler;
      const identity = await deps.identity();
      const order = localOrder({
        content: /\.ya?ml$/i.test(file) ? await yamlToJson(file, content) : content,
        serverId: identity?.server_id ?? 'local',
        before: deps.lastManifest(),
        unitName: state.units[0]?.name ?? 'main',
        epoch: state.observed?.epoch ?? 1,
        nowMs: clock.now(),
        settings,
      });
      reconciler.offer(order);
      deps.onLocal();
      log.info('imported config taken', {
        file: path.basename(file),
        digest: order.manifest.units[0]?.config.digest,
      });
      return order.manifest;
    },
  };
}

async function yamlToJson(file: string, content: Uint8Array): Promise<Uint8Array> {
  const name = path.basename(file);
  if (content.length > maxYamlBytes) {
    throw new ProblemError('import.unsafe-file', `${name} is YAML of more than ${maxYamlBytes} bytes`, {
      fix: 'Convert it to JSON first.',
    });
  }
  const { parse } = await import('yaml');
  try {
    return Buffer.from(JSON.stringify(parse(Buffer.from(content).toString('utf8'), { maxAliasCount: 100 })));
  } catch (error) {
    throw new ProblemError('config.invalid', `${name} is no valid YAML: ${messageOf(error)}`, { cause: error });
  }
}
