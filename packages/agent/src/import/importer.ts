import path from 'node:path';
import { messageOf, printDuration, ProblemError, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Manifest } from '@sbox/protocol';
import type { Identity } from '../identity/identity.ts';
import { observedAs, type Order, type Reconciler } from '../order.ts';
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
  /**
   * What somebody at this machine wants to apply, under the same rules; nothing is done before it is taken.
   * @throws like `takeBundle` and `takeConfig`, and ProblemError `import.not-allowed`
   */
  open(file: string, content: Uint8Array): Promise<OpenedImport>;
}

/** A file that may be applied. */
export interface OpenedImport {
  readonly order: Order;
  /** Hands it on; `confirmMs`: taken back after so long unless it is confirmed. */
  take(confirmMs?: number): Promise<Manifest>;
}

const maxYamlBytes = 1024 * 1024;

export function createImporter(deps: ImporterDeps): Importer {
  const { settings } = deps;
  const admit = async (): Promise<Admission> => {
    const isEnrolled = (await deps.identity()) !== undefined;
    if (!(settings.allow_unsigned ?? !isEnrolled)) {
      const detail = isEnrolled ? 'this server has joined a manager' : 'import.allow_unsigned is false';
      return { kind: 'never', problem: new ProblemError('import.not-allowed', detail) };
    }
    if (!isEnrolled) return { kind: 'now' };
    const awayMs = deps.managerAwayMs();
    const waitMs = settings.after - (awayMs ?? 0);
    return awayMs !== undefined && waitMs <= 0 ? { kind: 'now' } : { kind: 'later', waitMs: Math.max(waitMs, 0) };
  };
  return {
    admit,
    takeBundle: async (archive) => await (await openBundle(deps, archive)).take(),
    takeConfig: async (file, content) => await (await openConfig(deps, file, content)).take(),
    async open(file, content) {
      if (isTar(content)) return await openBundle(deps, content);
      const admission = await admit();
      if (admission.kind === 'never') throw admission.problem;
      if (admission.kind === 'later') throw tooEarly(settings.after);
      return await openConfig(deps, file, content);
    },
  };
}

const tooEarly = (afterMs: number): ProblemError =>
  new ProblemError(
    'import.not-allowed',
    `the manager was there less than ${printDuration(afterMs)} ago (import.after)`,
    {
      fix: 'Deploy with the manager, or import a signed bundle.',
    },
  );

/** The magic word of a ustar header. */
const isTar = (content: Uint8Array): boolean => Buffer.from(content.subarray(257, 262)).toString('latin1') === 'ustar';

async function openBundle(deps: ImporterDeps, archive: Uint8Array): Promise<OpenedImport> {
  const { reconciler, log } = deps;
  const opened = readBundle(archive);
  const identity = await deps.identity();
  if (!identity) {
    throw new ProblemError('agent.not-joined', 'this server does not know whom to believe', {
      fix: 'sboxagent import FILE --pin sha256:…   (the pin is what `sboxmgr server add NAME --offline` printed)',
    });
  }
  const known = await deps.trusted(identity.pin);
  const { trusted, ...verified } = verifyBundle(opened, {
    pin: identity.pin,
    serverId: identity.server_id,
    trusted: known,
    agentVersion: deps.agentVersion,
    nowMs: deps.nowMs(),
    accepted: observedAs(reconciler.state, identity.server_id),
  });
  const order: Order = { source: 'bundle', ...verified, blobs: createMemoryBlobs(opened.blobs) };
  const { manifest } = order;
  return {
    order,
    async take(confirmMs) {
      // A document with another CA comes over the network only, where the CA itself comes with it.
      if (trusted !== known && (!known || known.document.ca_pem === null)) await deps.storeTrust(trusted);
      reconciler.offer(withConfirm(order, confirmMs));
      log.info('bundle taken', { epoch: manifest.epoch, generation: manifest.generation });
      return manifest;
    },
  };
}

async function openConfig(deps: ImporterDeps, file: string, content: Uint8Array): Promise<OpenedImport> {
  const { reconciler, settings, log, clock } = deps;
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
  const { manifest } = order;
  return {
    order,
    async take(confirmMs) {
      reconciler.offer(withConfirm(order, confirmMs));
      deps.onLocal();
      log.info('imported config taken', { file: path.basename(file), digest: manifest.units[0]?.config.digest });
      return await Promise.resolve(manifest);
    },
  };
}

const withConfirm = (order: Order, confirmMs: number | undefined): Order =>
  confirmMs === undefined ? order : { ...order, confirm_ms: confirmMs };

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
