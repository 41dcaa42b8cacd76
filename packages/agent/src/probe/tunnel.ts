import { request } from 'node:http';
import { connect, type Socket } from 'node:net';

/** A proxy: an inbound of an engine on this machine, which needs no credentials, or one of the operator's. */
export interface Way {
  readonly address: string;
  readonly port: number;
  /** `socks` speaks SOCKS5; `mixed` and `http` take HTTP CONNECT. */
  readonly type: string;
  readonly credentials?: { readonly user: string; readonly password: string };
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
      headers: { host: path, ...authorizationOf(way) },
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

/** RFC 7617, for a proxy. */
function authorizationOf({ credentials }: Way): { 'proxy-authorization'?: string } {
  if (credentials === undefined) return {};
  const text = `${credentials.user}:${credentials.password}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

/** RFC 1928, the target as a domain name; RFC 1929 where there are credentials. */
async function openSocks(way: Way, { host, port }: Target, signal: AbortSignal): Promise<Socket> {
  const { credentials } = way;
  const socket = connect({ host: way.address, port: way.port, signal });
  try {
    const name = Buffer.from(host);
    socket.write(Buffer.from(credentials === undefined ? [5, 1, 0] : [5, 2, 0, 2]));
    const chosen = (await readExactly(socket, 2))[1];
    if (chosen === 2 && credentials !== undefined) await logIn(socket, credentials);
    else if (chosen !== 0) throw new Error('the inbound wants credentials');
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

async function logIn(socket: Socket, { user, password }: NonNullable<Way['credentials']>): Promise<void> {
  const [name, secret] = [Buffer.from(user), Buffer.from(password)];
  socket.write(Buffer.from([1, name.length, ...name, secret.length, ...secret]));
  if ((await readExactly(socket, 2))[1] !== 0) throw new Error('the proxy refuses the credentials');
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
