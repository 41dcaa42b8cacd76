import { messageOf, ProblemError, toBase64, type Clock } from '@sbox/core';
import type { KeyPair } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { keyProofText } from '@sbox/protocol';
import type { ServerKeys } from '../identity/server-keys.ts';
import type { AgentClient } from './agent-client.ts';
import { createBackoff } from './backoff.ts';
import { createWaker } from './waker.ts';

export interface KeyRotationDeps {
  readonly serverId: string;
  readonly keys: ServerKeys;
  /** A client whose requests are signed by this key; it is asked for one request. */
  readonly clientOf: (key: KeyPair) => Pick<AgentClient, 'keys'> & AsyncDisposable;
  /** The key is replaced when it is so old; 0 for never. */
  readonly rotateAfterMs: number;
  readonly onRotated: (keyid: string) => void;
  /** Aborts when the session ends. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly retry: { readonly baseMs: number; readonly capMs: number };
}

export interface KeyRotation {
  /**
   * Replaces the key of this server now. May be repeated: one that was begun is ended.
   * @throws ProblemError `manager.unreachable`, `auth.*`; the rotation goes on by itself then
   */
  rotate(): Promise<{ keyid: string }>;
  /** The manager does not know the key: it may be one that it was restored without. */
  refused(): void;
  /** Ends what an earlier run began, and rotates when it is time. Resolves when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const lookEveryMs = 3_600_000;

/**
 * Replaces the key of a server so that whatever is lost on the way, one that the manager knows is here: the next key is
 * stored before it is sent, the manager takes it beside the old one, and the first request by it makes both sides drop
 * the old one.
 */
export function createKeyRotation(deps: KeyRotationDeps): KeyRotation {
  const { keys, clock, log, rotateAfterMs } = deps;
  const waker = createWaker(clock);
  const backoff = createBackoff({ ...deps.retry, random: deps.random });
  const alone = createLine();
  let isRefused = false;

  const isDue = (): boolean => rotateAfterMs > 0 && clock.now() - keys.madeMs > rotateAfterMs;
  const step = async (): Promise<number> => {
    try {
      if (isRefused) await mend(deps);
      isRefused = false;
      if (isDue()) await keys.prepare();
      await finish(deps);
      backoff.reset();
      return lookEveryMs;
    } catch (error) {
      deps.stopping.throwIfAborted();
      log.warn('the key of this server could not be replaced', { error: messageOf(error) });
      return isUnknownRoute(error) ? lookEveryMs : backoff.next();
    }
  };

  return {
    rotate: async () =>
      await alone(async () => {
        await keys.prepare();
        // If it cannot be ended now, it is by and by.
        waker.wake();
        await finish(deps);
        return { keyid: keys.key.keyid };
      }),
    refused() {
      // Without another key there is nobody to put in a word for this one.
      if (isRefused || (!keys.previous && !keys.next)) return;
      isRefused = true;
      waker.wake();
    },
    async run(signal) {
      try {
        for (;;) await waker.wait(await alone(step), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

/** Runs one thing after the other, whether the one before went well or not. */
function createLine(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const before = last;
    const mine = (async () => {
      await before.catch(() => {});
      return await work();
    })();
    last = mine;
    return await mine;
  };
}

/** Tells the manager of `key` in a request by `signer`; false when it does not know the signer. */
async function tell(
  { serverId, clientOf, stopping }: KeyRotationDeps,
  key: KeyPair,
  signer: KeyPair,
): Promise<boolean> {
  const public_key = toBase64(key.publicKey);
  const proof = toBase64(key.sign(Buffer.from(keyProofText(serverId, public_key))));
  await using client = clientOf(signer);
  try {
    await client.keys({ body: { public_key, proof } }, stopping);
    return true;
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'auth.signature-invalid') return false;
    throw error;
  }
}

/** Makes the manager know `key`, by whichever of the others it knows. */
async function introduce(deps: KeyRotationDeps, key: KeyPair): Promise<void> {
  const { keys } = deps;
  const others = [keys.next, keys.key, keys.previous].filter((other) => other && other.keyid !== key.keyid);
  for (const signer of others) if (signer && (await tell(deps, key, signer))) return;
  throw new ProblemError('auth.signature-invalid', 'the manager knows none of the keys of this server');
}

/**
 * Ends a rotation that was begun, wherever it stands. The next key is never given up: an answer may have been lost, and
 * then it is the only one that the manager knows.
 */
async function finish(deps: KeyRotationDeps): Promise<void> {
  const { keys, log } = deps;
  const { next } = keys;
  if (!next) return;
  if (!(await tell(deps, next, next))) {
    keys.useStored();
    await introduce(deps, next);
    // From here on the manager takes both; what is signed by the old one would be late from the next step on.
    keys.useNext();
    if (!(await tell(deps, next, next))) throw new ProblemError('auth.signature-invalid', 'the next key was not taken');
  }
  keys.useNext();
  await keys.promote();
  deps.onRotated(keys.key.keyid);
  log.info('the key of this server was replaced', { keyid: keys.key.keyid });
}

/** The manager was restored from before the last rotation, and knows the key of then. */
async function mend(deps: KeyRotationDeps): Promise<void> {
  const { keys, log } = deps;
  const { key } = keys;
  if (keys.next || (await tell(deps, key, key))) return;
  await introduce(deps, key);
  await tell(deps, key, key);
  log.warn('the manager had forgotten the key of this server; it was told by the one before', { keyid: key.keyid });
}

/** A manager of before keys could be replaced. */
const isUnknownRoute = (error: unknown): boolean => error instanceof ProblemError && error.code === 'route.not-found';
