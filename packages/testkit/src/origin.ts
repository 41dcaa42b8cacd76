import { type ServerResponse, createServer } from 'node:http';
import { type ListenOptions, listen } from './listen.ts';

export interface Origin extends AsyncDisposable {
  readonly port: number;
  /** Answers 200 `origin-ok`. */
  readonly url: string;
  /** Answers 204 and nothing, as probe targets do. */
  readonly probeUrl: string;
  /** Sends a line at once and then every 50 ms until one side goes away. */
  readonly streamUrl: string;
  /** How many requests came, all paths together. */
  readonly requestCount: number;
  /** Streams that are open now. */
  readonly streamCount: number;
}

const tickMs = 50;

/** A web server on loopback that stands for the internet behind a proxy; dispose cuts its streams. */
export async function startOrigin(options: ListenOptions = {}): Promise<Origin> {
  let requestCount = 0;
  const streams = new Set<ServerResponse>();

  function openStream(response: ServerResponse): void {
    streams.add(response);
    response.writeHead(200, { 'content-type': 'text/plain' });
    let tick = 0;
    const send = (): void => {
      // A reader that stopped reading must not fill our memory.
      if (!response.writableNeedDrain) response.write(`${(tick += 1)}\n`);
    };
    send();
    const timer = setInterval(send, tickMs);
    response.once('close', () => {
      clearInterval(timer);
      streams.delete(response);
    });
  }

  const server = createServer((request, response) => {
    requestCount += 1;
    const [pathname] = (request.url ?? '/').split('?');
    if (pathname === '/stream') openStream(response);
    else if (pathname === '/generate_204') response.writeHead(204).end();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end('origin-ok');
  });
  const base = await listen(server, options);
  return {
    port: base.port,
    url: `${base.url}/`,
    probeUrl: `${base.url}/generate_204`,
    streamUrl: `${base.url}/stream`,
    get requestCount() {
      return requestCount;
    },
    get streamCount() {
      return streams.size;
    },
    [Symbol.asyncDispose]: async () => await base[Symbol.asyncDispose](),
  };
}
