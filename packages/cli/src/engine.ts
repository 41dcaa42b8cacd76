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

/** What the check of the engine says against a file; undefined when it has nothing to say. */
export async function checkFile(engine: FoundEngine, file: string): Promise<EngineComplaint | undefined> {
  const { code, stderr } = await runEngine(engine.path, singBox.checkCommand(file).args, checkTimeoutMs);
  return code === 0 ? undefined : singBox.parseCheckOutput(stderr);
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const runEngine = async (file: string, args: readonly string[], timeout: number): Promise<Finished> =>
  await new Promise((resolve) => {
    execFile(file, [...args], { timeout, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error ? 1 : 0, stdout, stderr: stderr || (error?.message ?? '') });
    });
  });
