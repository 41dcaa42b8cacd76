import { request as httpRequest, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Transport, TransportAnswer, TransportRequest } from '@sbox/protocol';

/** Requests over a Unix socket, one connection each. */
export const socketTransport =
  (socketPath: string): Transport =>
  async (request) => {
    const response = await send(socketPath, request);
    const plain = Object.entries(response.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]);
    return {
      status: response.statusCode ?? 0,
      headers: Object.fromEntries(plain) as TransportAnswer['headers'],
      body: await buffer(response),
    };
  };

const send = async (socketPath: string, { method, path, headers, body }: TransportRequest): Promise<IncomingMessage> =>
  await new Promise((resolve, reject) => {
    const options = {
      socketPath,
      method,
      path,
      headers: { ...headers, host: 'localhost' },
      agent: false,
      timeout: 10_000,
    };
    const sent = httpRequest(options, resolve);
    sent.once('timeout', () => sent.destroy(new Error(`no answer from ${socketPath}`)));
    sent.once('error', reject);
    sent.end(body);
  });
