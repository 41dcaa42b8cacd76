import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { messageOf } from '@sbox/core';
import type { Node } from '@sbox/formats';
import type { Host } from '../command.ts';

/** How long a node took, or why it did not answer. */
export interface Probed {
  readonly id: string;
  readonly tag: string;
  readonly type: string;
  readonly server: string;
  readonly ms: number | null;
  readonly reason: string | null;
}

const udpTypes: ReadonlySet<string> = new Set([
  'hysteria',
  'hysteria2',
  'tuic',
  'wireguard',
  'juicity',
  'masque',
  'tailscale',
]);

/** Why connecting by TCP would say nothing about a node; undefined where it does. */
function notByTcp({ type, transport, detour }: Node): string | undefined {
  if (udpTypes.has(type) || transport?.type === 'quic' || transport?.type === 'mkcp')
    return 'it speaks UDP: use --http';
  return detour === undefined ? undefined : 'it is reached through another node: use --http';
}

/** Time from the first packet to an open connection; the name is looked up before. */
export async function probeTcp(node: Node, timeoutMs: number, { clock, signal }: Pick<Host, 'clock' | 'signal'>) {
  const { server, server_port } = node;
  const skipped = notByTcp(node);
  if (skipped !== undefined || server_port === undefined) return { ms: null, reason: skipped ?? 'it has no port' };
  try {
    const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const { address } = await beforeEnd(lookup(server), stop);
    const startedMs = clock.monotonic();
    await opened(address, server_port, stop);
    return { ms: Math.max(1, Math.round(clock.monotonic() - startedMs)), reason: null };
  } catch (error) {
    signal.throwIfAborted();
    return { ms: null, reason: reasonOf(error) };
  }
}

const reasonOf = (error: unknown): string => {
  if ((error as { name?: unknown }).name === 'TimeoutError') return 'no answer in time';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : messageOf(error);
};

async function beforeEnd<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const end = (): void => reject(stop.reason as Error);
    stop.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => stop.removeEventListener('abort', end));
  });
}

async function opened(host: string, port: number, stop: AbortSignal): Promise<void> {
  const socket = connect({ host, port });
  try {
    await beforeEnd(
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject);
      }),
      stop,
    );
  } finally {
    socket.destroy();
  }
}
