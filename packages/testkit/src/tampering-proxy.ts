// A reverse proxy between an agent and its manager that may lie: it rewrites answers by a function.
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { listen } from './listen.ts';

export interface WireRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfter?: number;
}

export type Tamper = (answer: WireAnswer, request: WireRequest) => WireAnswer;

export interface TamperingProxy extends AsyncDisposable {
  readonly url: string;
  /** The last 1000 requests as they came, answered or not. */
  readonly requests: readonly WireRequest[];
  /** Sockets are turned away from now on, as proxies do that know nothing of them, and those that are open end. */
  refuseSockets(): void;
  /** Answers are rewritten from now on, those too that the manager holds at this moment; without a function no more. */
  lie(tamper?: Tamper): void;
}

const maxRequests = 1000;
/** What a proxy in front of a manager would send: not the name under which the agent knows it. */
const hostName = 'manager.behind.example';
/** Of one connection, so not handed on. */
const hopHeaders = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host']);

/** Hands requests on under another Host and answers back; upgraded connections pass as they are. */
export async function startTamperingProxy(target: string): Promise<TamperingProxy> {
  const requests: WireRequest[] = [];
  const sockets = new Set<Duplex>();
  let tamper: Tamper | undefined;
  let hasSockets = true;
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wanted = { ...headOf(request), headers: request.headers, body: await buffer(request) };
    requests.push(wanted);
    if (requests.length > maxRequests) requests.shift();
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const honest = await forward(target, wanted, gone.signal);
    send(response, tamper?.(honest, wanted) ?? honest);
  }

  server.on('upgrade', (request, socket) => {
    const { method, path } = headOf(request);
    requests.push({ method, path, headers: request.headers, body: Buffer.alloc(0) });
    if (!hasSockets) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(target);
    const onward = connect(Number(port), hostname, () => {
      const headers = Object.entries({ ...withoutHops(request.headers), connection: 'upgrade', host: hostName }).map(
        ([name, value]) => `${name}: ${value}`,
      );
      onward.write([`${method} ${path} HTTP/1.1`, ...headers, '', ''].join('\r\n'));
      socket.pipe(onward).pipe(socket);
    });
    for (const [one, other] of [[socket, onward] as const, [onward, socket] as const]) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one) && other.destroy());
    }
  });
  const base = await listen(server);
  return {
    url: base.url,
    requests,
    refuseSockets() {
      hasSockets = false;
      for (const socket of sockets) socket.destroy();
    },
    lie(next) {
      tamper = next;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await base[Symbol.asyncDispose]();
    },
  };
}

const headOf = ({ method = 'GET', url = '/' }: IncomingMessage): { method: string; path: string } => ({
  method,
  path: url,
});

const withoutHops = (headers: IncomingMessage['headers']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || hopHeaders.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );

async function forward(target: string, wanted: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
  const { method, path, headers, body } = wanted;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const onward = { ...withoutHops(headers), host: hostName, 'content-length': String(body.length) };
    const sent = httpRequest(new URL(path, target), { method, headers: onward, agent: false, signal }, resolve);
    sent.once('error', reject).end(body);
  });
  return { status: answer.statusCode ?? 0, headers: withoutHops(answer.headers), body: await buffer(answer) };
}

function send(response: ServerResponse, { status, headers, body, cutAfter }: WireAnswer): void {
  const isEmpty = status === 204 || status === 304;
  response.writeHead(status, { ...headers, ...(isEmpty ? {} : { 'content-length': body.length }) });
  if (cutAfter === undefined) response.end(isEmpty ? undefined : body);
  else response.write(body.subarray(0, cutAfter), () => response.destroy());
}
