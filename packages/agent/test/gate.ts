import { createServer, connect, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export type GateState = 'open' | 'closed' | 'frozen';

/** A TCP port in front of another one. `closed` ends what there is and takes nothing; `frozen` drops all bytes. */
export interface Gate extends AsyncDisposable {
  readonly port: number;
  set(state: GateState): Promise<void>;
}

export async function openGate(targetPort: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  let state: GateState = 'open';
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (bytes: Buffer) => {
      if (state === 'open') to.write(bytes);
    });
    from.on('error', () => from.destroy());
    // Of a half-open connection nobody hears that it ended.
    from.on('close', () => sockets.delete(from) && state !== 'frozen' && to.destroy());
  };
  const accept = (socket: Socket): void => {
    const onward = connect(targetPort, '127.0.0.1');
    pass(socket, onward);
    pass(onward, socket);
  };
  let server = await listen(createServer(accept), 0);
  const { port } = server.address() as AddressInfo;
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    async set(next) {
      const before = state;
      state = next;
      if (next === 'closed') {
        await close(server, end);
      } else if (before === 'closed') server = await listen(createServer(accept), port);
      // What was frozen does not come back to life: bytes are missing in it.
      if (before === 'frozen') end();
    },
    async [Symbol.asyncDispose]() {
      if (state !== 'closed') await close(server, end);
      end();
    },
  };
}

const listen = async (server: Server, port: number): Promise<Server> =>
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });

const close = async (server: Server, end: () => void): Promise<void> =>
  await new Promise((resolve) => {
    server.close(() => resolve());
    end();
  });
