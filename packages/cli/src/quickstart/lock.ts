import { unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { ProblemError } from '@sbox/core';

/**
 * Holds a directory for one quickstart, by a socket that ends with the process however it ends.
 * @throws ProblemError `quickstart.running`
 */
export async function lockDirectory(dir: string): Promise<AsyncDisposable> {
  // Relative to the directory of the process the path stays short: a socket's may have 107 bytes only.
  const file = path.relative('', path.join(dir, 'quickstart.sock'));
  const server = (await listen(file)) ?? ((await isAnswered(file)) ? undefined : await listenAnew(file));
  if (!server) throw new ProblemError('quickstart.running', `another process holds ${dir}`);
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listenAnew(file: string): Promise<Server | undefined> {
  await unlink(file).catch(() => {});
  return await listen(file);
}

const listen = async (file: string): Promise<Server | undefined> =>
  await new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(file, () => resolve(server));
  });

const isAnswered = async (file: string): Promise<boolean> =>
  await new Promise((resolve) => {
    const socket = connect(file, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
