import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
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
  check(text: string, files?: readonly CheckFile[]): Promise<{ readonly ok: boolean; readonly message: string }>;
}

/** A file that the text names by its path. */
export interface CheckFile {
  readonly path: string;
  readonly content: Uint8Array;
}

const timeoutMs = 10_000;

/** Undefined when the program there is no sing-box that runs. */
export async function openLocalEngine(
  file: string,
  run: RunProgram,
  filesDirectory: string,
): Promise<LocalEngine | undefined> {
  // What a manager left behind that was killed.
  await rm(filesDirectory, { recursive: true, force: true });
  const { stdout } = await run(file, singBox.versionCommand().args, timeoutMs);
  const version = parseVersion(stdout);
  if (!version) return undefined;
  return {
    path: file,
    target: { engine: 'sing-box', ...version },
    async check(text, files = []) {
      await using directory = await writeFiles(filesDirectory, files);
      const where = directory.path === undefined ? [] : ['-D', directory.path];
      // By standard input: a file with credentials would stay behind if the manager were killed meanwhile.
      const args = [...singBox.checkCommand('stdin').args, ...where];
      const { code, stdout: out, stderr } = await run(file, args, timeoutMs, text);
      if (code === 0) return { ok: true, message: '' };
      const complaint = singBox.parseCheckOutput(plainText(stderr || out));
      return {
        ok: false,
        message: redactText(complaint.path ? `${complaint.path}: ${complaint.message}` : complaint.message),
      };
    },
  };
}

/** The files of one check in a directory of their own; dispose removes it. Rule-sets hold no secrets. */
async function writeFiles(
  parent: string,
  files: readonly CheckFile[],
): Promise<AsyncDisposable & { readonly path: string | undefined }> {
  if (files.length === 0) return { path: undefined, [Symbol.asyncDispose]: async () => await Promise.resolve() };
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(path.join(parent, 'check-'));
  for (const { path: name, content } of files) {
    const target = path.join(directory, name);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
  }
  return {
    path: directory,
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }),
  };
}
