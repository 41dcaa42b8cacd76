import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { ProblemError, redactText, type Clock } from '@sbox/core';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard error goes there; its end explains a child that did not come up. */
  readonly logFile: string;
  readonly clock: Clock;
  /** Time to stop before it is killed. */
  readonly stopMs?: number;
}

type Ready = Readonly<Record<string, unknown>>;

export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** The first line of JSON on standard output. @throws ProblemError when the child ends or is late */
  ready(timeoutMs: number): Promise<Ready>;
  /** Waits for its end. @throws ProblemError when it failed or is late */
  finished(timeoutMs: number): Promise<void>;
}

const tailLines = 5;

/**
 * Starts a program of ours in a process group of its own, so that Ctrl C reaches only the quickstart, which then stops
 * its children in order.
 */
export async function startChild({
  name,
  command,
  args,
  env,
  logFile,
  clock,
  stopMs = 10_000,
}: ChildOptions): Promise<Child> {
  const log = await open(logFile, 'a', 0o600);
  const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', log.fd], detached: true });
  await log.close();
  const ended = new Promise<number>((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code) => resolve(code ?? 128));
  });
  const firstLine = readFirstLine(child);
  /** The first of them, or undefined when the time is over. */
  const within = async <T>(timeoutMs: number, promises: readonly Promise<T>[]): Promise<T | undefined> => {
    const waiting = new AbortController();
    const late = clock.sleep(timeoutMs, waiting.signal).then(
      () => undefined,
      () => undefined,
    );
    const first = await Promise.race([...promises, late]);
    waiting.abort(new Error('answered'));
    return first;
  };
  return {
    pid: child.pid ?? 0,
    async ready(timeoutMs) {
      const first = await within<Ready | number>(timeoutMs, [firstLine, ended]);
      if (typeof first === 'object') return first;
      throw await childProblem(name, 'did not start', logFile);
    },
    async finished(timeoutMs) {
      const code = await within(timeoutMs, [ended]);
      if (code !== 0) throw await childProblem(name, 'failed', logFile);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.stdin?.end();
      signal(child, 'SIGTERM');
      const waiting = new AbortController();
      const force = clock.sleep(stopMs, waiting.signal).then(
        () => signal(child, 'SIGKILL'),
        () => {},
      );
      await ended;
      waiting.abort(new Error('ended'));
      await force;
    },
  };
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(name);
}

async function readFirstLine(child: ChildProcess): Promise<Ready> {
  return await new Promise((resolve) => {
    if (!child.stdout) return;
    const lines = createInterface({ input: child.stdout });
    // Later lines are read and dropped: a full pipe would stop the child.
    lines.on('line', (line) => {
      try {
        resolve(JSON.parse(line) as Record<string, unknown>);
      } catch {
        // Not the line that is waited for.
      }
    });
  });
}

async function readTail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return redactText(text.trimEnd().split('\n').slice(-tailLines).join('\n'));
}

/** A child that printed `error: / cause: / fix:` has said it best; the words go on unchanged. */
async function childProblem(name: string, what: string, logFile: string): Promise<ProblemError> {
  const tail = await readTail(logFile);
  const [, headline, cause, fix] = /error: (.+)\ncause: (.+)\nfix: +(.+)/.exec(tail) ?? [];
  if (headline === undefined || cause === undefined || fix === undefined) {
    const detail = `${name} ${what}${tail === '' ? '' : `: ${tail}`}`;
    return new ProblemError('command.failed', detail, { fix: `See its log: ${logFile}` });
  }
  return new ProblemError(/in use/.test(headline) ? 'port.in-use' : 'command.failed', cause, { fix, headline });
}
