import { request } from 'node:http';
import { connect, type Socket } from 'node:net';

/** An inbound of an engine on this machine that needs no credentials. */
export interface Way {
  readonly address: string;
  readonly port: number;
  /** `socks` speaks SOCKS5; `mixed` and `http` take HTTP CONNECT. */
  readonly type: string;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** A connection to the target through the inbound. Rejects with what the inbound said when it refuses. */
export const openTunnel = async (way: Way, target: Target, signal: AbortSignal): Promise<Socket> =>
  way.type === 'socks' ? await openSocks(way, target, signal) : await openConnect(way, target, signal);

const authorityOf = ({ host, port }: Target): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

async function openConnect(way: Way, target: Target, signal: AbortSignal): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const path = authorityOf(target);
    const sent = request({
      agent: false,
      host: way.address,
      port: way.port,
      method: 'CONNECT',
      path,
      headers: { host: path },
      signal,
    });
    sent.once('connect', (response, socket: Socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the engine answered ${response.statusCode}`));
    });
    sent.once('error', reject).end();
  });
}

/** RFC 1928, no authentication, the target as a domain name. */
async function openSocks(way: Way, { host, port }: Target, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host: way.address, port: way.port, signal });
  try {
    const name = Buffer.from(host);
    socket.write(Buffer.from([5, 1, 0]));
    const chosen = (await readExactly(socket, 2))[1];
    if (chosen !== 0) throw new Error('the inbound wants credentials');
    socket.write(Buffer.from([5, 1, 0, 3, name.length, ...name, port >> 8, port & 0xff]));
    const [, reply, , addressType] = await readExactly(socket, 4);
    if (reply !== 0) throw new Error(`the engine answered SOCKS ${reply}`);
    const length = addressType === 1 ? 4 : addressType === 4 ? 16 : ((await readExactly(socket, 1))[0] ?? 0);
    await readExactly(socket, length + 2);
    return socket;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  }
}

/** Takes bytes from the socket's buffer and leaves it paused, so that nothing is lost between two reads. */
async function readExactly(socket: Socket, length: number): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      socket.off('readable', look).off('error', fail).off('close', close);
      finish();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const close = (): void => settle(() => reject(new Error('the engine closed the connection')));
    const look = (): void => {
      const bytes = socket.read(length) as Buffer | null;
      if (bytes !== null) settle(() => resolve(bytes));
    };
    socket.on('readable', look).once('error', fail).once('close', close);
    look();
  });
}
