import type { spawn as nodeSpawn } from 'node:child_process';
import { ProblemError, fromProblem } from '@sbox/core';
import type { Slot } from '@sbox/engines/sing-box/run';
import type { OverlayReport } from './overlay-command.ts';
import { runCommand } from './run-command.ts';

export interface OverlayJob {
  readonly input: string;
  readonly output: string;
  readonly slot: Slot;
  readonly signal?: AbortSignal | undefined;
}

/** Makes an engine's file from a rendition, in a short-lived process. @throws ProblemError `config.invalid` */
export type RunOverlay = (job: OverlayJob) => Promise<OverlayReport>;

const timeoutMs = 30_000;
/** A 14 MB configuration takes about 200 MB; what needs more is refused rather than let to eat the machine. */
const env = { NODE_OPTIONS: '--max-old-space-size=512' };

/** `command` is what runs `sboxagent overlay`, without IN and OUT. */
export const createRunOverlay =
  (spawn: typeof nodeSpawn, [program = '', ...args]: readonly string[]): RunOverlay =>
  async ({ input, output, slot, signal }) => {
    const command = { program, args: [...args, input, output], input: JSON.stringify(slot), env, timeoutMs, signal };
    const result = await runCommand(spawn, command);
    if (result.code === 0) return JSON.parse(result.stdout) as OverlayReport;
    throw readProblem(result.stderr, result.isTimedOut);
  };

/** The command prints its problem document as its last line on standard error. */
function readProblem(stderr: string, isTimedOut: boolean): ProblemError {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  try {
    return fromProblem(JSON.parse(last), 'the overlay failed');
  } catch {
    return new ProblemError(
      'command.failed',
      isTimedOut ? 'making the overlay took too long' : `overlay: ${last.slice(0, 500)}`,
    );
  }
}
