// Requests through a proxy on loopback, by hand over node:net so that a test sees exactly what the proxy does.
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { type Socket, connect } from 'node:net';

export interface ThroughProxyOptions {
  proxyPort: number;
  /** http: only; what is tested is the way, not TLS on top of it. */
  url: string;
  /** How to speak to the proxy; a mixed inbound takes both. */
  via?: 'socks5' | 'http';
  /** For the whole exchange, or for a stream until its headers are there. */
  timeoutMs?: number;
}

export interface ProxiedResponse {
  status: number;
  body: string;
  /** From the first packet to the proxy until the last byte. */
  ms: number;
}

export interface ProxiedStream extends Disposable {
  readonly isOpen: boolean;
  readonly receivedBytes: number;
  /** Why it broke; never rejects. */
  readonly closed: Promise<string>;
  /** Resolves with the next bytes to come, rejects when the stream is closed before or the time is over. */
  nextBytes(timeoutMs?: number): Promise<void>;
}

const maxBodyChars = 1024 * 1024;

/** One GET. Throws what the proxy said when it refuses, and a time-out after `timeoutMs`. */
export async function requestThrough(options: ThroughProxyOptions): Promise<ProxiedResponse> {
  const startedAt = performance.now();
  const signal = AbortSignal.timeout(options.timeoutMs ?? 10_000);
  const response = await openThrough(options, signal);
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) {
    body += String(chunk);
    if (body.length > maxBodyChars) throw new Error(`more than ${maxBodyChars} characters from ${options.url}`);
  }
  return { status: response.statusCode ?? 0, body, ms: performance.now() - startedAt };
}

/** A long-lived GET that stays open until one side closes it or it is disposed. */
export async function openStreamThrough(options: ThroughProxyOptions): Promise<ProxiedStream> {
  const opening = new AbortController();
  const timer = setTimeout(() => opening.abort(new Error('no answer in time')), options.timeoutMs ?? 10_000);
  const response = await openThrough(options, opening.signal);
  clearTimeout(timer);
  let isOpen = true;
  let receivedBytes = 0;
  const closed = new Promise<string>((resolve) => {
    const close = (why: string) => () => {
      isOpen = false;
      resolve(why);
    };
    response.once('end', close('ended')).once('error', (error) => close(error.message)());
    response.once('close', close('closed'));
  });
  response.on('data', (chunk: Buffer) => (receivedBytes += chunk.length));
  return {
    closed,
    get isOpen() {
      return isOpen;
    },
    get receivedBytes() {
      return receivedBytes;
    },
    async nextBytes(timeoutMs = 5_000) {
      const waiting = Promise.withResolvers<void>();
      const onData = (): void => waiting.resolve();
      const late = setTimeout(() => waiting.reject(new Error(`no bytes for ${timeoutMs} ms`)), timeoutMs);
      response.once('data', onData);
      void closed.then((why) => waiting.reject(new Error(`stream ${why}`)));
      await waiting.promise.finally(() => {
        clearTimeout(late);
        response.off('data', onData);
      });
    },
    [Symbol.dispose]: () => void response.destroy(),
  };
}

async function openThrough(options: ThroughProxyOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const { proxyPort, url, via = 'socks5' } = options;
  const target = new URL(url);
  if (target.protocol !== 'http:') throw new Error(`${url}: only http: URLs`);
  const port = Number(target.port === '' ? 80 : target.port);
  const socket = await ways[via]({ proxyPort, host: target.hostname, port, signal });
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(target, { createConnection: () => socket, headers: { connection: 'close' }, signal });
    sent.once('response', resolve).once('error', reject).end();
  });
}

interface Way {
  proxyPort: number;
  host: string;
  port: number;
  signal: AbortSignal;
}

const ways = { socks5: connectBySocks, http: connectByHttp };

/** RFC 1928 with a domain name as address, no authentication. */
async function connectBySocks({ proxyPort, host, port, signal }: Way): Promise<Socket> {
  const socket = connect({ port: proxyPort, host: '127.0.0.1', signal });
  try {
    socket.write(Buffer.from([5, 1, 0]));
    const [, chosen] = await readExactly(socket, 2);
    if (chosen !== 0) throw new Error('the proxy wants authentication');
    const name = Buffer.from(host);
    socket.write(Buffer.from([5, 1, 0, 3, name.length, ...name, port >> 8, port & 0xff]));
    const [, reply, , addressType] = await readExactly(socket, 4);
    if (reply !== 0) throw new Error(`the proxy refused: SOCKS reply ${reply}`);
    const length = addressType === 1 ? 4 : addressType === 4 ? 16 : ((await readExactly(socket, 1))[0] ?? 0);
    await readExactly(socket, length + 2);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function connectByHttp({ proxyPort, host, port, signal }: Way): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const sent = httpRequest({
      host: '127.0.0.1',
      port: proxyPort,
      method: 'CONNECT',
      path: `${host}:${port}`,
      signal,
    });
    sent.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy refused: ${response.statusCode}`));
    });
    sent.once('error', reject).end();
  });
}

/** Takes bytes from the socket's buffer and leaves it paused, so that nothing is lost between two reads. */
async function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const settle = (finish: () => void) => () => {
      socket.off('readable', look).off('error', fail).off('end', end);
      finish();
    };
    const fail = (error: Error): void => settle(() => reject(error))();
    const end = settle(() => reject(new Error('the proxy closed the connection')));
    const look = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes !== null) settle(() => resolve(bytes))();
    };
    socket.on('readable', look).once('error', fail).once('end', end);
    look();
  });
}
