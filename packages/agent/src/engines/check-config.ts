import type { spawn as nodeSpawn } from 'node:child_process';
import { ProblemError, redactText } from '@sbox/core';
import { singBox } from '@sbox/engines/sing-box/run';
import type { Engine } from './find-engine.ts';
import { runCommand } from './run-command.ts';

const timeoutMs = 10_000;

/** The engine's own check of a file. @throws ProblemError `engine.check-failed` with the engine's words, `command.*` when it did not come to one */
export async function checkConfig(
  spawn: typeof nodeSpawn,
  engine: Engine,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { args } = singBox.checkCommand(file);
  const result = await runCommand(spawn, { program: engine.path, args, timeoutMs, signal });
  if (result.code === 0) return;
  // Its own limit says nothing about the bytes: a busy machine is slow.
  if (result.isTimedOut)
    throw new ProblemError('command.timeout', `sing-box check took more than ${timeoutMs / 1000} s`);
  // Ended by a signal, as the kernel does when memory runs out: the machine decided it, not the bytes.
  if (result.code === null) throw new ProblemError('command.failed', 'sing-box check was ended by a signal');
  const { message, path } = singBox.parseCheckOutput(result.stderr);
  throw new ProblemError('engine.check-failed', wordsOf(message, path));
}

export const wordsOf = (message: string, path: string | undefined): string =>
  redactText(path === undefined ? message : `${path}: ${message}`).slice(0, 2048);
