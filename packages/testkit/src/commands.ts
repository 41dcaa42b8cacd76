import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** How a command ended and what it printed. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = promisify(execFile);
const timeoutMs = 60_000;

/** One of our programs, run to its end; a code other than 0 is an answer, not an error. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<Ended> {
  try {
    // Tests read English, whoever runs them.
    const options = {
      env: { ...process.env, SBOXMGR_LANG: 'en', ...env },
      timeout: timeoutMs,
      ...(cwd === undefined ? {} : { cwd }),
    };
    const { stdout, stderr } = await run(process.execPath, [...args], options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : 1, stdout, stderr };
  }
}
