import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { commands, runProgram, type Host } from '../src/index.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestHost extends Disposable {
  readonly dir: string;
  run(words: readonly string[], more?: Partial<Host> & { readonly input?: string }): Promise<Ran>;
}

export const singBox = path.join(import.meta.dirname, '../../../.tools/bin/sing-box');

/** The program in this process, in a directory of its own, with what it prints collected. */
export function openTestHost(): TestHost {
  const dir = mkdtempSync(path.join(process.env['SBOX_TEST_DIR'] ?? tmpdir(), 'sbox-cli-'));
  return {
    dir,
    async run(words, { input = '', ...more } = {}) {
      const printed = { stdout: '', stderr: '' };
      const code = await runProgram(commands, words, {
        env: { SBOX_SING_BOX: process.env['SBOX_SING_BOX'] ?? singBox },
        cwd: dir,
        node: { path: process.execPath, version: process.versions.node },
        clock: systemClock,
        isTerminal: false,
        signal: new AbortController().signal,
        stdout: (text) => (printed.stdout += text),
        stderr: (text) => (printed.stderr += text),
        stdin: async () => await Promise.resolve(Buffer.from(input)),
        ...more,
      });
      return { code, ...printed };
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
