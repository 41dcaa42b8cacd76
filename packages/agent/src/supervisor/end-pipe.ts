import type { spawn as nodeSpawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { runCommand } from '../engines/run-command.ts';

/** The engine inherits one end of a pipe as this descriptor and never uses it; the kernel closes it when all is over. */
const endFd = 3;

const makeMs = 2000;
let made = 0;

export interface EndPipe {
  readonly fd: number;
  close(): void;
}

/** Makes a pipe by way of a file whose path begins so; it is gone when this resolves. */
export type OpenEndPipe = (prefix: string) => Promise<EndPipe>;

/**
 * A pipe without a name, open at both ends, so that nobody has to read it. Node makes only sockets, which nobody can
 * open a second time through /proc; so `mkfifo` makes it, and its name is removed at once.
 * @throws what the disk or the program says
 */
export async function openEndPipe(spawn: typeof nodeSpawn, prefix: string): Promise<EndPipe> {
  const file = `${prefix}.end${(made += 1)}`;
  // An agent that was killed in between may have left one of this name.
  await rm(file, { force: true });
  const { code, stderr } = await runCommand(spawn, {
    program: 'mkfifo',
    args: ['-m', '600', file],
    timeoutMs: makeMs,
  });
  if (code !== 0) throw new Error(`mkfifo: ${stderr.trim() || `code ${code}`}`);
  try {
    const fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
    return { fd, close: () => closeSync(fd) };
  } finally {
    await rm(file, { force: true });
  }
}

/** Has one ready ahead: between the end of one engine and the start of the next, every millisecond counts. */
export function withSpare(open: OpenEndPipe): OpenEndPipe {
  let spare: Promise<EndPipe | undefined> | undefined;
  return async (prefix) => {
    const taken = spare;
    spare = undefined;
    const pipe = (await taken) ?? (await open(prefix));
    spare ??= open(prefix).catch(() => undefined);
    return pipe;
  };
}

/** Tells when nobody holds the other end any more: the process, and all that inherited it, are gone or going. */
export interface EndWatch extends Disposable {
  readonly ended: AbortSignal;
}

/** Undefined for a process that was started without such a pipe, or that this user may not look into. */
export function watchEnd(pid: number, root: string): EndWatch | undefined {
  const fd = openPipe(`${root}/${pid}/fd/${endFd}`);
  if (fd === undefined) return undefined;
  const over = new AbortController();
  const socket = new Socket({ fd, readable: true, writable: false });
  // Whether it ends or fails: then there is nothing to wait for, and others have to look.
  socket
    .on('error', () => {})
    .once('close', () => over.abort())
    .resume()
    .unref();
  return { ended: over.signal, [Symbol.dispose]: () => void socket.destroy() };
}

/** Looks before it opens: a terminal or a device in this place must not notice. */
function openPipe(file: string): number | undefined {
  try {
    if (!statSync(file).isFIFO()) return undefined;
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (fstatSync(fd).isFIFO()) return fd;
    closeSync(fd);
  } catch {
    // Gone, or not ours to look into.
  }
  return undefined;
}
