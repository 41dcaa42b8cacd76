import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { Json } from '@sbox/engines/sing-box/render';
import { singBox, type FoundEngine } from '@sbox/engines/sing-box/run';
import type { Host } from '../command.ts';

const startMs = 20_000;
const stopMs = 3000;

/**
 * Runs a config in a folder of its own until it is disposed, and waits until it listens on the port.
 * @throws ProblemError `engine.start-failed`
 */
export async function startEngine(
  engine: FoundEngine,
  { config, port }: { readonly config: Json; readonly port: number },
  host: Host,
): Promise<AsyncDisposable> {
  await using cleanUp = new AsyncDisposableStack();
  const dir = await mkdtemp(path.join(host.env['TMPDIR'] || tmpdir(), 'sbox-probe-'));
  cleanUp.defer(async () => await rm(dir, { recursive: true, force: true }));
  const [file, logFile] = [path.join(dir, 'config.json'), path.join(dir, 'engine.log')];
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  const log = await open(logFile, 'w', 0o600);
  const child = spawn(engine.path, [...singBox.runCommand(file, dir).args], { stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve()).once('exit', () => resolve());
  });
  cleanUp.defer(async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(force);
  });
  const isEnded = (): boolean => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  await waitUntilUp({ host, port, isEnded, logFile });
  return cleanUp.move();
}

interface Waiting {
  readonly host: Host;
  readonly port: number;
  readonly isEnded: () => boolean;
  readonly logFile: string;
}

async function waitUntilUp({ host: { clock, signal }, port, isEnded, logFile }: Waiting): Promise<void> {
  const deadline = clock.monotonic() + startMs;
  while (!(await isOpen(port))) {
    signal.throwIfAborted();
    if (isEnded() || clock.monotonic() > deadline) {
      const said = singBox.parseCheckOutput(await readFile(logFile, 'utf8').catch(() => ''));
      throw new ProblemError('engine.start-failed', said.message);
    }
    await clock.sleep(50, signal);
  }
}

const isOpen = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
