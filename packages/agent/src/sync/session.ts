import { compareGenerations, type Clock, type Generation } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Manifest, Nack } from '@sbox/protocol';
import type { Identity } from '../identity/identity.ts';
import { observedAs, type BlobSource, type Reconciler } from '../order.ts';
import type { AgentSettings } from '../settings/schema.ts';
import { requireCa, type Trusted } from '../trust/trust-store.ts';
import type { ServerKeys } from '../identity/server-keys.ts';
import { createAddressCandidates, type AddressCandidates } from './address-candidates.ts';
import { createAgentClient } from './agent-client.ts';
import { clonedReason, createFollower, type Follower } from './follower.ts';
import { createHttpTransport, type HttpTransport, type HttpTransportOptions, type Signer } from './http-transport.ts';
import { createKeyRotation, type KeyRotation } from './key-rotation.ts';
import type { ManagerAddresses } from './manager-addresses.ts';
import { createManagerBlobs } from './manager-blobs.ts';
import type { ManagerWay } from './manager-way.ts';
import { createManifestIntake, isWithoutOrder, nackOf, type ManifestIntake } from './manifest-intake.ts';
import { createReachability, type Reachability } from './reachability.ts';
import { createReporter, type Reporter, type ReporterDeps } from './reporter.ts';
import { withRetries } from './retry.ts';
import type { ServerClock } from './server-clock.ts';
import type { StatusSource } from './status-source.ts';
import { createStream, type Stream } from './stream.ts';
import { createWaker, type Waker } from './waker.ts';

export interface SessionDeps {
  readonly identity: Identity;
  readonly addresses: ManagerAddresses;
  readonly ways: readonly ManagerWay[];
  readonly keys: ServerKeys;
  readonly bootId: string;
  readonly onKeyRotated: (keyid: string) => void;
  readonly trusted: Trusted;
  readonly storeTrust: (trusted: Trusted) => Promise<void>;
  readonly reconciler: Reconciler;
  readonly statusSource: StatusSource;
  readonly localText: () => Promise<Uint8Array | undefined>;
  readonly serverClock: ServerClock;
  readonly agentVersion: string;
  readonly settings: AgentSettings;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

/** Everything between this server and its manager. */
export interface ManagerSession extends AsyncDisposable {
  readonly reachability: Reachability;
  readonly intake: ManifestIntake;
  readonly transport: HttpTransport;
  readonly addresses: ManagerAddresses;
  /** Takes note of what a verified manifest says of the manager; durable when it resolves. */
  learn(manifest: Manifest): Promise<void>;
  /** Replaces the key of this server. @throws ProblemError `manager.unreachable`, `auth.*` */
  rotateKey(): Promise<{ keyid: string }>;
  /** Why the last manifest was refused before it came to the reconciler. */
  readonly refusal: Nack | null;
  /** An imported config took over: the manager's manifest is looked at again when it answers. */
  forget(): void;
}

const blobRetries = 4;

/** Starts following and reporting to the manager; stops both when it is disposed. */
export function startManagerSession(deps: SessionDeps): ManagerSession {
  const { clock, reconciler, addresses, settings } = deps;
  const stop = new AbortController();
  const shared = sharedOf(deps);
  const transport = createHttpTransport({
    ...shared,
    urls: () => addresses.known,
    onMove: (url) => void addresses.answered(url),
  });
  const client = createAgentClient(transport.send);
  const reachability = createReachability(clock);
  const waker = createWaker(clock);
  let refusal: Nack | null = null;

  const intake = createManifestIntake({
    ...deps,
    ...deps.identity,
    client,
    blobs: buildBlobs(deps, transport),
    onManifest: async (manifest) => await learn(manifest),
  });
  const candidates = buildCandidates(deps, shared, intake, transport.reset);
  const learn: ManagerSession['learn'] = async ({ settings: { manager_urls: urls = [] } }) => {
    await addresses.propose(urls);
    if (addresses.candidates.length > 0) candidates.wake();
  };
  const rotation = buildRotation(deps, shared, stop.signal);
  const stream = buildStream(deps, shared, { transport, reachability, waker, intake });
  const follower = createFollower({
    ...deps,
    client,
    reachability,
    waker,
    settings: settings.sync,
    take: intake.take,
    onFailure: (code) => {
      if (code === 'auth.signature-invalid') rotation.refused();
    },
    onVerdict: (problem, etag) => {
      refusal = problem && nackOf(problem, etag, clock.now());
      reporter.changed();
    },
    hasHints: () => stream.isOpen,
  });
  const reporter = buildReporter(deps, { client, intake, reachability, follower });

  const subscriptions = [reconciler.onChange(reporter.changed), reachability.onChange(reporter.changed)];
  reachability.use('long-poll');
  const loops = [follower, reporter, candidates, rotation, ...(settings.sync.socket ? [stream] : [])];
  const running = Promise.all(loops.map(async (loop) => await loop.run(stop.signal)));
  return {
    reachability,
    intake,
    transport,
    addresses,
    learn,
    rotateKey: rotation.rotate,
    get refusal() {
      return refusal;
    },
    forget() {
      follower.forget();
      waker.wake();
    },
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      stop.abort(new Error('stopping'));
      await running;
      await transport[Symbol.asyncDispose]();
    },
  };
}

/** What every connection to the manager needs, whatever it carries. */
type Shared = Omit<HttpTransportOptions, 'urls' | 'onMove' | 'signer'> & {
  readonly signer: Signer;
  readonly bootId: string;
  readonly random: () => number;
};

const sharedOf = ({ identity, keys, trusted, settings, ...deps }: SessionDeps): Shared => ({
  ...deps,
  ca: requireCa(trusted),
  signer: {
    serverId: identity.server_id,
    get key() {
      return keys.key;
    },
  },
  connectTimeoutMs: settings.sync.connect_timeout,
});

interface StreamParts {
  readonly transport: HttpTransport;
  readonly reachability: Reachability;
  readonly waker: Waker;
  readonly intake: ManifestIntake;
}

/** What orders nothing is never observed, and must not be fetched again and again for that. */
const isReadAlready = ({ last }: ManifestIntake, desired: Generation): boolean =>
  last !== undefined && isWithoutOrder(last) && compareGenerations(desired, last) === 0;

function buildStream(
  { reconciler, settings }: SessionDeps,
  shared: Shared,
  { transport, reachability, waker, intake }: StreamParts,
): Stream {
  return createStream({
    ...shared,
    settings: settings.sync,
    place: () => transport.place,
    onHint: (desired) => {
      if (desired && isReadAlready(intake, desired)) return;
      const seen = observedAs(reconciler.state, shared.signer.serverId);
      if (!desired || !seen || compareGenerations(desired, seen) !== 0) waker.wake();
    },
    onState: (isOpen) => {
      reachability.use(isOpen ? 'websocket' : 'long-poll');
      if (isOpen) reachability.answered();
      waker.wake();
    },
  });
}

/** A signed manifest for this server, over a connection that shows the pinned CA: that is the manager. */
function buildCandidates(
  deps: SessionDeps,
  shared: Shared,
  { verify }: ManifestIntake,
  onConfirmed: () => void,
): AddressCandidates {
  const { addresses, clock, random, log } = deps;
  const { retry_base: baseMs, retry_cap: capMs } = deps.settings.sync;
  return createAddressCandidates({
    addresses,
    clock,
    random,
    log,
    retry: { baseMs, capMs },
    onConfirmed,
    async prove(url, signal) {
      await using transport = createHttpTransport({ ...shared, urls: [url] });
      const { bytes } = await createAgentClient(transport.send).desired({}, signal);
      await verify(bytes ?? new Uint8Array());
    },
  });
}

function buildRotation(
  { identity, keys, addresses, settings, onKeyRotated, clock, random, log }: SessionDeps,
  shared: Shared,
  stopping: AbortSignal,
): KeyRotation {
  const { retry_base: baseMs, retry_cap: capMs } = settings.sync;
  return createKeyRotation({
    serverId: identity.server_id,
    keys,
    clientOf(key) {
      const signer = { serverId: identity.server_id, key };
      const transport = createHttpTransport({ ...shared, signer, urls: () => addresses.known });
      const { keys: call } = createAgentClient(transport.send);
      return { keys: call, [Symbol.asyncDispose]: transport[Symbol.asyncDispose] };
    },
    stopping,
    clock,
    random,
    log,
    retry: { baseMs, capMs },
    rotateAfterMs: settings.identity.rotate_after,
    onRotated: onKeyRotated,
  });
}

function buildBlobs({ settings: { sync }, clock, random }: SessionDeps, { send }: HttpTransport): BlobSource {
  const retry = { clock, random, retries: blobRetries, baseMs: sync.retry_base, capMs: sync.retry_cap };
  return createManagerBlobs(createAgentClient(withRetries(send, retry)));
}

type ReporterParts = Pick<ReporterDeps, 'client'> & {
  readonly follower: Follower;
  readonly intake: ManifestIntake;
  readonly reachability: Reachability;
};

function buildReporter(deps: SessionDeps, parts: ReporterParts): Reporter {
  const { client, intake, reachability, follower } = parts;
  const { sync } = deps.settings;
  return createReporter({
    client,
    onFailure: (code) => {
      // The question that is held may not end for a minute.
      if (code === 'server.identity-cloned' && reachability.isReachable) reachability.failed(clonedReason, 0);
    },
    onNewer: (desired) => {
      if (!isReadAlready(intake, desired)) follower.missed();
    },
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    status: deps.statusSource.status,
    heartbeatMs: () => intake.last?.settings.heartbeat_ms ?? sync.heartbeat,
    debounceMs: sync.debounce,
    retry: { baseMs: sync.retry_base, capMs: sync.retry_cap },
    isReachable: () => reachability.isReachable,
    onServerTime: deps.serverClock.note,
  });
}
