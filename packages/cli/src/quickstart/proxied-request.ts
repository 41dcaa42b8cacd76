import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { messageOf, ProblemError } from '@sbox/core';

export interface ProxiedAnswer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

export interface ProxyOptions {
  /** `user:password` for the proxy. */
  readonly auth?: string;
  readonly signal?: AbortSignal;
}

const timeoutMs = 10_000;

/** One request through a mixed or HTTP inbound, by CONNECT, as a browser does it. */
export async function requestThroughProxy(
  proxyPort: number,
  url: string,
  options: ProxyOptions = {},
): Promise<ProxiedAnswer> {
  const startedMs = performance.now();
  const { protocol, hostname, port, host } = new URL(url);
  const isTls = protocol === 'https:';
  try {
    const socket = await connectThrough(proxyPort, `${hostname}:${port || (isTls ? 443 : 80)}`, options);
    // What the node does not answer in time is given up with its connection.
    const giveUp = (): void => void socket.destroy(options.signal?.reason as Error);
    options.signal?.addEventListener('abort', giveUp, { once: true });
    const answer = await requestOver(socket, url, isTls, hostname, host).finally(() =>
      options.signal?.removeEventListener('abort', giveUp),
    );
    return { ...answer, ms: Math.round(performance.now() - startedMs) };
  } catch (error) {
    throw new ProblemError('trial.probe-failed', `${url} through 127.0.0.1:${proxyPort}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

const connectThrough = async (proxyPort: number, target: string, { auth, signal }: ProxyOptions): Promise<Socket> =>
  await new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port: proxyPort,
      method: 'CONNECT',
      path: target,
      timeout: timeoutMs,
      agent: false,
      ...(auth === undefined
        ? {}
        : { headers: { 'proxy-authorization': `Basic ${Buffer.from(auth).toString('base64')}` } }),
      ...(signal === undefined ? {} : { signal }),
    });
    request.once('connect', (answer, socket: Socket) => {
      // Who uses the socket hears of errors too; one that comes when nobody does must not end the program.
      socket.on('error', () => {});
      if (answer.statusCode === 200) resolve(socket);
      else reject(new Error(`the proxy answered ${answer.statusCode ?? 0}`));
    });
    request.once('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end();
  });

const requestOver = async (
  socket: Socket,
  url: string,
  isTls: boolean,
  servername: string,
  host: string,
): Promise<Omit<ProxiedAnswer, 'ms'>> =>
  await new Promise((resolve, reject) => {
    const options = {
      // Beside an agent, Node would not call `createConnection` and go to the address directly.
      ...(isTls ? { socket, servername, agent: false as const } : { createConnection: () => socket }),
      timeout: timeoutMs,
      headers: { host },
    };
    const request = (isTls ? httpsRequest : httpRequest)(url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text = (text + chunk).slice(0, 4096);
      });
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.once('error', reject);
    });
    request.once('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end();
  });
