import { createServer as createHttpServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface TestProxy extends AsyncDisposable {
  readonly port: number;
  /** `host:port` of each connection that was asked for. */
  readonly targets: readonly string[];
}

export interface TestProxyOptions {
  readonly type: 'http' | 'socks5';
  /** `user:password`; whoever does not give it is turned away. */
  readonly login?: string;
  /** Where connections really go: names of a test lead nowhere. */
  readonly onwardPort: number;
}

/** A proxy on loopback that keeps a list of what it was asked for. */
export async function openProxy({ type, login, onwardPort }: TestProxyOptions): Promise<TestProxy> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const onward = (socket: Socket, target: string, ready: (to: Socket) => void): void => {
    targets.push(target);
    const to = connect(onwardPort, '127.0.0.1', () => {
      ready(to);
      socket.pipe(to).pipe(socket);
    });
    for (const [one, other] of [[socket, to] as const, [to, socket] as const]) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one) && other.destroy());
    }
  };
  const server: Server = type === 'http' ? httpProxy(login, onward) : socksProxy(login, onward);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Onward = (socket: Socket, target: string, ready: (to: Socket) => void) => void;

function httpProxy(login: string | undefined, onward: Onward): Server {
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`;
  const server = createHttpServer();
  server.on('connect', (request, socket: Socket) => {
    if (request.headers['proxy-authorization'] !== wanted)
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    else onward(socket, request.url ?? '', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
  });
  return server;
}

/** RFC 1928 and 1929, as little of them as a client of ours needs. */
function socksProxy(login: string | undefined, onward: Onward): Server {
  return createTcpServer((socket) => {
    void (async () => {
      const [, methods = 0] = await take(socket, 2);
      await take(socket, methods);
      socket.write(Buffer.from([5, login === undefined ? 0 : 2]));
      if (login !== undefined) {
        const [, userLength = 0] = await take(socket, 2);
        const user = await take(socket, userLength);
        const password = await take(socket, (await take(socket, 1))[0] ?? 0);
        const isRight = `${user.toString()}:${password.toString()}` === login;
        socket.write(Buffer.from([1, isRight ? 0 : 1]));
        if (!isRight) throw new Error('another login');
      }
      const [, , , , length = 0] = await take(socket, 5);
      const host = (await take(socket, length)).toString();
      const port = (await take(socket, 2)).readUInt16BE();
      onward(socket, `${host}:${port}`, () => socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])));
    })().catch(() => socket.destroy());
  });
}

const take = async (socket: Socket, length: number): Promise<Buffer> => {
  for (;;) {
    const bytes = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null);
    if (bytes) return bytes;
    await new Promise<void>((resolve, reject) => {
      socket.once('readable', resolve).once('close', () => reject(new Error('closed')));
    });
  }
};
