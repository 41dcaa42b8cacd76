import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Target } from './tunnel.ts';

/** A plain connection. Rejects with what the kernel, or the signal, says. */
export async function openDirect(target: Target, signal: AbortSignal): Promise<Socket> {
  const socket = connectTcp({ ...target, signal });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  return socket;
}

/** TLS over a connection that is open; the name that is asked for is the host's unless the options have another one. */
export async function wrapTls(
  tunnel: Socket,
  { host, ...options }: ConnectionOptions & { readonly host: string },
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connectTls({ socket: tunnel, host, ...(isIP(host) === 0 ? { servername: host } : {}), ...options });
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
    return socket;
  } catch (error) {
    socket.on('error', () => {}).destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
