import { request } from 'node:http';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { createClient, localRoutes, type Client, type Transport } from '@sbox/protocol';
import { statePaths } from '../identity/identity.ts';
import type { Call } from './command.ts';

const timeoutMs = 120_000;

/** The agent of this server, over the socket file in its state directory. @throws ProblemError `agent.unreachable` */
export const openLocalClient = async (call: Call): Promise<Client<typeof localRoutes>> => {
  const settings = await call.settings();
  return createClient(localRoutes, socketTransport(statePaths(path.resolve(settings.state_dir)).socket));
};

export const socketTransport =
  (socketPath: string): Transport =>
  async ({ method, path: target, headers, body, signal }) =>
    await new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        const isMine = error.code !== 'EACCES' && error.code !== 'EPERM';
        const fix = isMine ? {} : { fix: 'Run the command as root or as the user of the agent.' };
        reject(new ProblemError('agent.unreachable', `${socketPath}: ${error.message}`, { cause: error, ...fix }));
      };
      const outgoing = request(
        {
          socketPath,
          method,
          path: target,
          headers: { ...headers, host: 'localhost' },
          timeout: timeoutMs,
          ...(signal ? { signal } : {}),
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', fail);
          answer.on('end', () => {
            const plain = Object.entries(answer.headers).map(([name, value]) => [
              name,
              Array.isArray(value) ? value.join(', ') : value,
            ]);
            resolve({
              status: answer.statusCode ?? 0,
              headers: Object.fromEntries(plain) as Record<string, string | undefined>,
              body: Buffer.concat(chunks),
            });
          });
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.on('error', fail);
      outgoing.end(body);
    });
