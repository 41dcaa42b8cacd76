import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { redactText } from '@sbox/core';
import type { EngineTarget } from '@sbox/engines/sing-box/render';
import { parseVersion, plainText, singBox } from '@sbox/engines/sing-box/run';

/** Runs a program to its end and says what it printed; a program that cannot be started or takes too long has code -1. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  timeoutMs: number,
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
      const directory = await mkdtemp(path.join(tmpdir(), 'sbox-check-'));
      try {
        const config = path.join(directory, 'config.json');
        await writeFile(config, text, { mode: 0o600 });
        const { code, stdout: out, stderr } = await run(file, singBox.checkCommand(config).args, timeoutMs);
        if (code === 0) return { ok: true, message: '' };
        const complaint = singBox.parseCheckOutput(plainText(stderr || out));
        return {
          ok: false,
          message: redactText(complaint.path ? `${complaint.path}: ${complaint.message}` : complaint.message),
        };
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}
