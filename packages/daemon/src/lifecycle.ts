import { ProblemError } from '@sbox/core';

export interface Program {
  /** Runs until the signal aborts; releases everything before it resolves. */
  (signal: AbortSignal): Promise<void>;
}

interface ProcessLike {
  on(event: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(event: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): never;
}

const forcedExitMs = 10_000;

/**
 * Ties SIGTERM and SIGINT to one AbortSignal and waits for the program to release what it holds; the process ends
 * because nothing is left to do. A second signal, or ten seconds, end it at once.
 */
export async function runUntilSignal(program: Program, host: ProcessLike): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) host.exit(130);
    controller.abort(new ProblemError('command.failed', 'stopped by a signal'));
    setTimeout(() => host.exit(1), forcedExitMs).unref();
  };
  host.on('SIGTERM', stop);
  host.on('SIGINT', stop);
  try {
    await program(controller.signal);
  } finally {
    host.off('SIGTERM', stop);
    host.off('SIGINT', stop);
  }
}

/** Resolves when the signal aborts. */
export const untilAborted = async (signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
};
