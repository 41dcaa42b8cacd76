import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { messageOf, ProblemError } from '@sbox/core';
import { getRequestListener } from '@hono/node-server';
import { framingProblem, refuseBadFraming, refuseRequest } from './framing.ts';
import { problemAnswer, refuseConnection } from './problem-answer.ts';

type Fetch = Parameters<typeof getRequestListener>[0];

/** Takes over a connection that asks for another protocol, or ends it. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface ListenerOptions {
  /** `host:port`, port 0 for any; or the path of a Unix socket. */
  readonly address: string;
  readonly fetch: Fetch;
  /** Plain HTTP without it. */
  readonly tls?: TlsIdentity;
  readonly upgrade?: Upgrade;
  /** A connection whose headers are not here by then is ended; 10 s by default. */
  readonly headersTimeoutMs?: number;
}

/** PEM. */
export interface TlsIdentity {
  readonly key: string;
  readonly cert: string;
}

export interface Listener extends AsyncDisposable {
  /** Where it listens, with the real port. */
  readonly address: string;
  readonly url: string;
  /** Undefined for a Unix socket. */
  readonly port: number | undefined;
  /**
   * Takes another certificate for connections that come from now on.
   * @throws ProblemError `settings.invalid`; the old one stays
   */
  readonly useTls: (tls: TlsIdentity) => void;
}

const drainMs = 2000;
/** For what is uploaded over a slow line; other bodies have a limit of their own. */
const requestMs = 1_800_000;

/** @throws ProblemError `port.in-use`, `settings.invalid` for an address or a certificate that cannot be used */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { address, tls } = options;
  const { server, upgraded } = createServer(options);
  await listen(server, address);
  const bound = server.address() as AddressInfo | string;
  const isSocketFile = typeof bound === 'string';
  const place = isSocketFile
    ? bound
    : `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  return {
    address: place,
    port: isSocketFile ? undefined : bound.port,
    url: isSocketFile ? `unix:${place}` : `${tls ? 'https' : 'http'}://${place}`,
    useTls: (renewed) => withTls(() => (server as TlsServer).setSecureContext(renewed)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      const force = setTimeout(() => {
        server.closeAllConnections();
        // Node no longer counts these as its own, yet it waits for them.
        for (const socket of upgraded) socket.destroy();
      }, drainMs);
      await closed;
      clearTimeout(force);
    },
  };
}

function createServer({ fetch, tls, upgrade, headersTimeoutMs = 10_000 }: ListenerOptions) {
  const handle = getRequestListener(fetch, { errorHandler: answerBadRequest });
  // Several, when a client asks before it was answered.
  const answers = new WeakMap<Duplex, readonly ServerResponse[]>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const unfinished = (answers.get(request.socket) ?? []).filter(({ writableFinished }) => !writableFinished);
    answers.set(request.socket, [...unfinished, response]);
    const problem = framingProblem(request);
    if (problem) refuseRequest(response, problem);
    else void handle(request, response);
  };
  const limits = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestMs,
    keepAliveTimeout: 65_000,
    // How often Node looks for connections that are over their time: every 30 s unless it is told.
    connectionsCheckingInterval: headersTimeoutMs,
    // A missing Host is refused by us, in our words.
    requireHostHeader: false,
  };
  const server = tls
    ? withTls(() => createTlsServer({ ...limits, handshakeTimeout: headersTimeoutMs, ...tls }, onRequest) as Server)
    : createPlainServer(limits, onRequest);
  refuseBadFraming(server, (socket) =>
    (answers.get(socket) ?? []).some(({ headersSent, writableFinished }) => headersSent && !writableFinished),
  );
  const upgraded = new Set<Duplex>();
  if (upgrade)
    server.on('upgrade', (request, socket, head) => {
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      const problem = framingProblem(request);
      if (problem) refuseConnection(socket, problem);
      else upgrade(request, socket, head);
    });
  return { server, upgraded };
}

/** For requests whose address or host cannot be read: no app has seen them. */
function answerBadRequest(error: unknown): Response {
  const { status, headers, body } = problemAnswer(new ProblemError('request.not-http', messageOf(error)));
  return new Response(body, { status, headers: { ...headers, connection: 'close' } });
}

function withTls<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ProblemError('settings.invalid', `the certificate or its key cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** @throws ProblemError when somebody listens there, or when it is not a socket that lies there */
async function removeDeadSocket(file: string): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) throw new ProblemError('settings.invalid', `${file} is there already, and is no socket`);
  const isAlive = await new Promise<boolean>((resolve) => {
    const socket = connect(file, () => resolve(true)).on('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (isAlive) throw new ProblemError('port.in-use', `${file} is in use`, { details: { address: file } });
  await unlink(file);
}

async function listen(server: Server, address: string): Promise<void> {
  const { host, port, file } = parseAddress(address);
  if (file !== undefined) await removeDeadSocket(file);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      reject(
        error.code === 'EADDRINUSE'
          ? new ProblemError('port.in-use', `${address} is in use`, { cause: error, details: { address } })
          : new ProblemError('settings.invalid', `cannot listen on ${address}: ${error.code}`, { cause: error }),
      );
    };
    server.once('error', fail);
    const done = (): void => {
      server.off('error', fail);
      resolve();
    };
    if (file === undefined) server.listen(port, host, done);
    else server.listen(file, done);
  });
}

/** Splits `host:port`, `[v6]:port` or a path. @throws ProblemError `settings.invalid` */
export function parseAddress(address: string): { host?: string; port?: number; file?: string } {
  if (address.startsWith('/') || address.startsWith('./')) return { file: address };
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535)
    throw new ProblemError('settings.invalid', `${address} is no host:port and no path of a socket`);
  return { host, port: Number(port) };
}
