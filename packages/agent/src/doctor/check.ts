import { messageOf, printDuration, ProblemError, type Clock } from '@sbox/core';
import type { Scene } from './scene.ts';

export type Verdict = 'ok' | 'warning' | 'failed';

/** What one look found. `fix` is a sentence, with the command where there is one. */
export interface Finding {
  readonly verdict: Verdict;
  readonly detail: string;
  readonly fix?: string;
  /** Which of several things was looked at: an address, a port, a unit. */
  readonly about?: string;
}

/** One row of the table of checks. Looking changes nothing. */
export interface Check {
  readonly name: string;
  /** A look that takes longer is cut; the default is enough for everything on this machine. */
  readonly limitMs?: number;
  readonly look: (scene: Scene, signal: AbortSignal) => Promise<Finding | readonly Finding[]>;
}

/** A finding with the check that it comes from. */
export interface Found extends Finding {
  readonly check: string;
}

const usualLimitMs = 5000;

export const ok = (detail: string, about?: string): Finding => ({
  verdict: 'ok',
  detail,
  ...(about === undefined ? {} : { about }),
});
export const warning = (detail: string, fix: string, about?: string): Finding => ({
  ...ok(detail, about),
  verdict: 'warning',
  fix,
});
export const failed = (detail: string, fix: string, about?: string): Finding => ({
  ...ok(detail, about),
  verdict: 'failed',
  fix,
});

/** Runs all checks at once; what a check throws is its finding, and one that hangs is cut. In the order of the table. */
export async function runChecks(checks: readonly Check[], scene: Scene): Promise<Found[]> {
  const found = checks.map(async (check) => {
    const findings = await lookInTime(check, scene);
    return [findings].flat().map((finding) => ({ check: check.name, ...finding }));
  });
  return (await Promise.all(found)).flat();
}

async function lookInTime(
  { look, limitMs = usualLimitMs }: Check,
  scene: Scene,
): Promise<Finding | readonly Finding[]> {
  const late = new AbortController();
  const done = new AbortController();
  try {
    return await Promise.race([look(scene, late.signal), afterTime(scene.clock, limitMs, done.signal)]);
  } catch (error) {
    const fix = error instanceof ProblemError ? error.fix : undefined;
    return failed(messageOf(error), fix ?? 'See what the detail says.');
  } finally {
    late.abort(new Error('cut'));
    done.abort(new Error('done'));
  }
}

async function afterTime(clock: Clock, limitMs: number, signal: AbortSignal): Promise<Finding> {
  await clock.sleep(limitMs, signal);
  return failed(
    `no answer within ${printDuration(limitMs)}`,
    'Something on this machine hangs; see: journalctl -k -n 50',
  );
}
