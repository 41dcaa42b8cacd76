import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { openTunnel, type Way } from '../probe/tunnel.ts';

/** How a connection to the manager goes. */
export type Via = 'direct' | 'proxy' | 'engine';

export interface ManagerWay {
  readonly via: Via;
  /** The proxy to go through at this moment; undefined while there is none, and always for `direct`. */
  readonly proxy: () => Way | undefined;
}

export interface WaySettings {
  readonly via: 'direct' | 'proxy' | 'auto';
  /** `http://user:password@host:port` or `socks5://…`. */
  readonly proxy?: string | undefined;
}

export const directWay: ManagerWay = { via: 'direct', proxy: () => undefined };

/**
 * The ways that the settings allow, the first choice first. `engineWay` is an inbound of an engine that runs here: the
 * last resort, because the very config that the manager has to replace may be what is wrong with it.
 */
export function waysOf({ via, proxy }: WaySettings, engineWay: () => Way | undefined): readonly ManagerWay[] {
  const own = proxy === undefined ? undefined : parseProxy(proxy);
  const proxied: ManagerWay[] = own ? [{ via: 'proxy', proxy: () => own }] : [];
  if (via === 'proxy') return proxied;
  return via === 'direct' ? [directWay] : [directWay, ...proxied, { via: 'engine', proxy: engineWay }];
}

const defaultPorts: Readonly<Record<string, number>> = { 'http:': 80, 'socks5:': 1080 };

function parseProxy(text: string): Way | undefined {
  const url = URL.parse(text);
  const port = url && (url.port === '' ? defaultPorts[url.protocol] : Number(url.port));
  if (!url || port === undefined || port === null || url.hostname === '') return undefined;
  const [user, password] = [decoded(url.username), decoded(url.password)];
  return {
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    type: url.protocol === 'socks5:' ? 'socks' : 'http',
    ...(user === '' ? {} : { credentials: { user, password } }),
  };
}

/** As it stands where somebody left a percent sign alone. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export interface TlsPins {
  readonly ca?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/**
 * A connection to a manager through a proxy, with TLS on top where the address asks for it: who is between sees bytes
 * that only the pinned manager can read.
 */
export async function openThrough(way: ManagerWay, url: URL, tls: TlsPins, timeoutMs: number): Promise<Socket> {
  const proxy = way.proxy();
  if (proxy === undefined) throw new Error(`there is no ${way.via} to go through`);
  // Not AbortSignal.timeout: that would end the connection later, in the middle of its use.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`no connection in ${timeoutMs} ms`)), timeoutMs);
  try {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const isTls = url.protocol === 'https:';
    const target = { host, port: Number(url.port || (isTls ? 443 : 80)) };
    const tunnel = await openTunnel(proxy, target, limit.signal);
    return isTls
      ? await secure(tunnel, { host, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls }, limit.signal)
      : tunnel;
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

async function secure(tunnel: Socket, tls: TlsPins & { host: string }, signal: AbortSignal): Promise<Socket> {
  const socket = connectTls({ socket: tunnel, ALPNProtocols: ['http/1.1'], ...tls });
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
