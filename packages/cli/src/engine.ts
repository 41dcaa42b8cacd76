import { execFile } from 'node:child_process';
import { findSingBox, singBox, type EngineComplaint, type FoundEngine } from '@sbox/engines/sing-box/run';
import type { Host } from './command.ts';

const versionTimeoutMs = 5000;
const checkTimeoutMs = 10_000;

/** @throws ProblemError `engine.not-found`, `engine.too-old` */
export const findEngine = async (named: string | undefined, { env }: Pick<Host, 'env'>): Promise<FoundEngine> =>
  await findSingBox({
    named,
    env,
    run: async (file, args) => {
      const { code, stdout } = await runEngine(file, args, versionTimeoutMs);
      return code === 0 ? stdout : undefined;
    },
  });

/** What the check of the engine says against a text; undefined when it has nothing to say. Nothing is written to disk. */
export async function checkText(engine: FoundEngine, text: string): Promise<EngineComplaint | undefined> {
  const { code, stderr } = await runEngine(engine.path, singBox.checkCommand('stdin').args, checkTimeoutMs, text);
  return code === 0 ? undefined : singBox.parseCheckOutput(stderr);
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const runEngine = async (file: string, args: readonly string[], timeout: number, input?: string): Promise<Finished> =>
  await new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      { timeout, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024 },
      (error, stdout, stderr) => {
        resolve({ code: error ? 1 : 0, stdout, stderr: stderr || (error?.message ?? '') });
      },
    );
    // An engine that ends before it has read everything says why on its way out.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
