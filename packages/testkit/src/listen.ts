import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ListenOptions {
  /** 0, the default, takes any free port. */
  port?: number;
}

export interface Listening extends AsyncDisposable {
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
}

/** Opens a server on loopback; dispose also cuts the connections that are still open. */
export async function listen(server: Server, { port = 0 }: ListenOptions = {}): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `http://127.0.0.1:${bound}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
