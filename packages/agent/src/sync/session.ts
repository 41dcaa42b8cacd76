import { compareGenerations, type Clock, type Generation } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Nack } from '@sbox/protocol';
import type { Identity } from '../identity/identity.ts';
import type { BlobSource, Reconciler } from '../order.ts';
import type { AgentSettings } from '../settings/schema.ts';
import { requireCa, type Trusted } from '../trust/trust-store.ts';
import { createAgentClient } from './agent-client.ts';
import { createFollower, type Follower } from './follower.ts';
import { createHttpTransport, type HttpTransport, type Signer } from './http-transport.ts';
import { createManagerBlobs } from './manager-blobs.ts';
import { createManifestIntake, nackOf, type ManifestIntake } from './manifest-intake.ts';
import { createReachability, type Reachability } from './reachability.ts';
import { createReporter, type Reporter, type ReporterDeps } from './reporter.ts';
import { withRetries } from './retry.ts';
import type { ServerClock } from './server-clock.ts';
import type { StatusSource } from './status-source.ts';
import { createStream } from './stream.ts';
import { createWaker } from './waker.ts';

export interface SessionDeps {
  readonly identity: Identity;
  readonly urls: readonly string[];
  readonly signer: Signer;
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
  /** Why the last manifest was refused before it came to the reconciler. */
  readonly refusal: Nack | null;
  /** An imported config took over: the manager's manifest is looked at again when it answers. */
  forget(): void;
}

const blobRetries = 4;

/** Starts following and reporting to the manager; stops both when it is disposed. */
export function startManagerSession(deps: SessionDeps): ManagerSession {
  const { settings, urls, clock, random, log, reconciler, serverClock, trusted } = deps;
  const { sync } = settings;
  const stop = new AbortController();
  const ca = requireCa(trusted);
  const shared = { clock, log, random, serverClock, signer: deps.signer };
  const transport = createHttpTransport({ ...shared, urls, ca, connectTimeoutMs: sync.connect_timeout });
  const client = createAgentClient(transport.send);
  const reachability = createReachability(clock);
  const waker = createWaker(clock);
  let refusal: Nack | null = null;

  const onHint = (desired: Generation | undefined): void => {
    const seen = reconciler.state.observed;
    if (!desired || !seen || compareGenerations(desired, seen) !== 0) waker.wake();
  };
  const intake = createManifestIntake({ ...deps, ...deps.identity, client, blobs: buildBlobs(deps, transport) });
  const stream = createStream({
    ...shared,
    ca,
    settings: sync,
    url: () => transport.url,
    onHint,
    onState: (isOpen) => {
      reachability.use(isOpen ? 'websocket' : 'long-poll');
      if (isOpen) reachability.answered();
      waker.wake();
    },
  });
  const follower = createFollower({
    client,
    reachability,
    waker,
    clock,
    random,
    log,
    settings: sync,
    take: intake.take,
    onVerdict: (problem, etag) => {
      refusal = problem && nackOf(problem, etag, clock.now());
      reporter.changed();
    },
    hasHints: () => stream.isOpen,
  });
  const reporter = buildReporter(deps, { client, intake, reachability, follower });

  const subscriptions = [reconciler.onChange(reporter.changed), reachability.onChange(reporter.changed)];
  reachability.use('long-poll');
  const loops = [follower, reporter, ...(sync.socket ? [stream] : [])];
  const running = Promise.all(loops.map(async (loop) => await loop.run(stop.signal)));
  return {
    reachability,
    intake,
    transport,
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

function buildBlobs({ settings: { sync }, clock, random }: SessionDeps, { send }: HttpTransport): BlobSource {
  const retry = { clock, random, retries: blobRetries, baseMs: sync.retry_base, capMs: sync.retry_cap };
  return createManagerBlobs(createAgentClient(withRetries(send, retry)));
}

type ReporterParts = Pick<ReporterDeps, 'client'> & {
  readonly follower: Follower;
  readonly intake: ManifestIntake;
  readonly reachability: Reachability;
};

function buildReporter(deps: SessionDeps, { client, intake, reachability, follower }: ReporterParts): Reporter {
  const { sync } = deps.settings;
  return createReporter({
    client,
    onNewer: follower.missed,
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
