import type { spawn as nodeSpawn } from 'node:child_process';

export interface CommandResult {
  /** Null when it was ended by a signal, the time limit included. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly isTimedOut: boolean;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const maxOutputChars = 256 * 1024;

/** Runs a short-lived program to its end. Its output is bounded; at the time limit it is killed. */
export async function runCommand(spawn: typeof nodeSpawn, command: Command): Promise<CommandResult> {
  const { program, args, input = '', env = {}, timeoutMs, signal } = command;
  const child = spawn(program, [...args], {
    env: { ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
  let [stdout, stderr] = ['', ''];
  // Heard of from the start: where no descriptor is free there are no pipes, and the error comes alone.
  const ended = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, name) =>
      resolve({ code, stdout, stderr, isTimedOut: name === 'SIGKILL' && child.killed }),
    );
  });
  const pipes: Partial<Pick<typeof child, 'stdin' | 'stdout' | 'stderr'>> = child;
  pipes.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout = (stdout + text).slice(-maxOutputChars)));
  pipes.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-maxOutputChars)));
  // A program that ends without reading its input is judged by its exit code.
  pipes.stdin?.on('error', () => {}).end(input);
  return await ended;
}
