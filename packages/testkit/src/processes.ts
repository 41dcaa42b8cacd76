// Programs started by tests as a user would start them, with the promise that they end.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

export interface ProcessOptions {
  command: string;
  args?: readonly string[];
  /** Added to our own environment; `undefined` takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** Gets all output as well, appended. */
  logFile?: string;
  /** The start is done when a line of output matches; without it, when the program was spawned. */
  readyLine?: RegExp;
  readyTimeoutMs?: number;
  /** How long dispose waits after SIGTERM before it sends SIGKILL. */
  stopTimeoutMs?: number;
  /** Ends the program when aborted. */
  signal?: AbortSignal;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** Match of `readyLine`. */
  readonly ready: RegExpExecArray | undefined;
  readonly isRunning: boolean;
  readonly exited: Promise<Exit>;
  /** What it wrote, the last 1 MiB of characters; standard output only, or both streams as they came. */
  stdout(): string;
  output(): string;
  /** The first line, past or future, that matches; fails with the output when it ends or the time is over before. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Signals this one process, not what it started. */
  kill(signal?: NodeJS.Signals): void;
}

const maxOutputChars = 1024 * 1024;

/** Groups of programs that were started and not yet disposed, by the pid of their leader. */
const liveGroups = new Set<number>();

// A test run that crashes takes its programs along.
process.on('exit', () => {
  for (const pid of liveGroups) signalQuietly(-pid, 'SIGKILL');
});

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** Collects two streams of one program and wakes those who wait for a line. */
function createOutput(logFile: string | undefined) {
  const text = { stdout: '', all: '' };
  const listeners = new Set<() => void>();
  return {
    text,
    listeners,
    add(stream: 'stdout' | 'stderr', chunk: string): void {
      if (stream === 'stdout') text.stdout = (text.stdout + chunk).slice(-maxOutputChars);
      text.all = (text.all + chunk).slice(-maxOutputChars);
      if (logFile !== undefined) appendFileSync(logFile, chunk);
      for (const listener of listeners) listener();
    },
  };
}

function firstMatch(text: string, pattern: RegExp): RegExpExecArray | undefined {
  // The last piece has no newline yet: half a line must not match.
  for (const line of text.split('\n').slice(0, -1)) {
    const match = pattern.exec(line);
    if (match !== null) return match;
  }
  return undefined;
}

/**
 * Starts a program in a process group of its own and waits for its ready line. Dispose sends SIGTERM to the group, after
 * `stopTimeoutMs` SIGKILL, and returns when the program has ended.
 */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { command, args = [], readyLine, readyTimeoutMs = 15_000, stopTimeoutMs = 5_000, signal } = options;
  signal?.throwIfAborted();
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Tests read English, whoever runs them.
    env: { ...process.env, SBOXMGR_LANG: 'en', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const output = createOutput(options.logFile);
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => output.add(name, chunk));
  }
  // `close` comes after the last output, `exit` may come before it; a grandchild that keeps a pipe open delays `close` only.
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, name) => resolve({ code, signal: name })));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`cannot start ${command}: ${cause.message}`, { cause })));
  });
  const pid = child.pid ?? 0;
  liveGroups.add(pid);
  let isRunning = true;
  void exited.then(() => (isRunning = false));

  async function waitForLine(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpExecArray> {
    const waiting = Promise.withResolvers<RegExpExecArray>();
    const fail = (why: string): void =>
      waiting.reject(new Error(`${command} (pid ${pid}) ${why} before a line matched ${pattern}\n${output.text.all}`));
    const look = (): void => {
      const match = firstMatch(output.text.all, pattern);
      if (match !== undefined) waiting.resolve(match);
    };
    const timer = setTimeout(() => fail(`was silent for ${timeoutMs} ms`), timeoutMs);
    const onClose = (): void => fail('ended');
    output.listeners.add(look);
    child.once('close', onClose);
    look();
    if (child.exitCode !== null && child.stdout.closed) onClose();
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      output.listeners.delete(look);
      child.off('close', onClose);
    }
  }

  async function stop(): Promise<void> {
    signalQuietly(-pid, 'SIGTERM');
    const timer = setTimeout(() => signalQuietly(-pid, 'SIGKILL'), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
    signalQuietly(-pid, 'SIGKILL');
    liveGroups.delete(pid);
    child.stdout.destroy();
    child.stderr.destroy();
  }

  const onAbort = (): void => void stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  let ready: RegExpExecArray | undefined;
  try {
    if (readyLine !== undefined) ready = await waitForLine(readyLine, readyTimeoutMs);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid,
    ready,
    exited,
    get isRunning() {
      return isRunning;
    },
    stdout: () => output.text.stdout,
    output: () => output.text.all,
    waitForLine,
    kill: (name = 'SIGTERM') => signalQuietly(pid, name),
    async [Symbol.asyncDispose]() {
      signal?.removeEventListener('abort', onAbort);
      await stop();
    },
  };
}
