import { messageOf, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { createBackoff } from './backoff.ts';
import type { ManagerAddresses } from './manager-addresses.ts';
import { createWaker } from './waker.ts';

export interface AddressCandidatesDeps {
  readonly addresses: ManagerAddresses;
  /** Resolves when a signed answer for this server came from there; rejects with what is wrong. */
  readonly prove: (url: string, signal: AbortSignal) => Promise<void>;
  readonly onConfirmed: (url: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly retry: { readonly baseMs: number; readonly capMs: number };
}

export interface AddressCandidates {
  /** There may be new ones. */
  wake(): void;
  /** Tries those that there are for ever. Resolves when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const idleMs = 3_600_000;

/** Tries new addresses of the manager beside the known ones, which serve until one of these has proved itself. */
export function createAddressCandidates(deps: AddressCandidatesDeps): AddressCandidates {
  const { addresses, clock, log } = deps;
  const waker = createWaker(clock);
  const backoff = createBackoff({ ...deps.retry, random: deps.random });

  const tryOne = async (url: string, signal: AbortSignal): Promise<void> => {
    try {
      await deps.prove(url, signal);
      await addresses.confirm(url);
      log.info('the manager answers at a new address', { url });
      deps.onConfirmed(url);
      backoff.reset();
    } catch (error) {
      signal.throwIfAborted();
      log.debug('new address of the manager does not answer', { url, error: messageOf(error) });
    }
  };

  return {
    wake: waker.wake,
    async run(signal) {
      try {
        for (;;) {
          for (const url of addresses.candidates) await tryOne(url, signal);
          await waker.wait(addresses.candidates.length === 0 ? idleMs : backoff.next(), signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
