import { request, type IncomingMessage } from 'node:http';
import { openDirect, wrapTls } from './connect.ts';
import { openTunnel, type Way } from './tunnel.ts';

/** `undefined` goes out directly: does the machine reach the targets at all? */
export type ProbeWay = Way | undefined;

export interface Answer {
  readonly status: number;
  /** As much of the body as was asked for. */
  readonly body: string;
}

export interface Asked {
  /** 0 does not wait for the body at all. */
  readonly maxBodyBytes: number;
  readonly signal: AbortSignal;
}

/** One GET on a connection of its own. Rejects with what the connection, or the signal, says. */
export async function getOnce(way: ProbeWay, url: URL, { maxBodyBytes, signal }: Asked): Promise<Answer> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: Number(url.port || (isTls ? 443 : 80)) };
  const tunnel = way === undefined ? await openDirect(target, signal) : await openTunnel(way, target, signal);
  const socket = isTls ? await wrapTls(tunnel, { host }, signal) : tunnel;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({
        createConnection: () => socket,
        host,
        port: target.port,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, connection: 'close', 'user-agent': 'sbox-probe' },
        signal,
      });
      sent.once('error', reject);
      sent.once('response', resolve);
      sent.end();
    });
    return { status: response.statusCode ?? 0, body: await readStart(response, maxBodyBytes) };
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** The rest is never read: a target may send for ever. */
async function readStart(response: IncomingMessage, maxBytes: number): Promise<string> {
  if (maxBytes === 0) {
    response.on('error', () => {}).resume();
    return '';
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if ((size += chunk.length) >= maxBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, Math.min(size, maxBytes));
}
