import { redactText } from '@sbox/core';
import type { EngineTarget } from '@sbox/engines/sing-box/render';
import { parseVersion, plainText, singBox } from '@sbox/engines/sing-box/run';

/** Runs a program to its end and says what it printed; a program that cannot be started or takes too long has code -1. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  timeoutMs: number,
  /** What it reads from standard input. */
  input?: string,
) => Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;

/** The engine that stands beside the manager, to ask before any server does. */
export interface LocalEngine {
  readonly path: string;
  readonly target: EngineTarget;
  /** What the engine's own check says about a text. */
  check(text: string): Promise<{ readonly ok: boolean; readonly message: string }>;
}

const timeoutMs = 10_000;

/** Undefined when the program there is no sing-box that runs. */
export async function openLocalEngine(file: string, run: RunProgram): Promise<LocalEngine | undefined> {
  const { stdout } = await run(file, singBox.versionCommand().args, timeoutMs);
  const version = parseVersion(stdout);
  if (!version) return undefined;
  return {
    path: file,
    target: { engine: 'sing-box', ...version },
    async check(text) {
      // By standard input: a file with credentials would stay behind if the manager were killed meanwhile.
      const { code, stdout: out, stderr } = await run(file, singBox.checkCommand('stdin').args, timeoutMs, text);
      if (code === 0) return { ok: true, message: '' };
      const complaint = singBox.parseCheckOutput(plainText(stderr || out));
      return {
        ok: false,
        message: redactText(complaint.path ? `${complaint.path}: ${complaint.message}` : complaint.message),
      };
    },
  };
}
