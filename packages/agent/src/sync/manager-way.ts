import type { Socket } from 'node:net';
import { wrapTls } from '../probe/connect.ts';
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
export async function openThrough(way: ManagerWay, url: URL, tls: TlsPins, signal: AbortSignal): Promise<Socket> {
  const proxy = way.proxy();
  if (proxy === undefined) throw new Error(`there is no ${way.via} to go through`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isTls = url.protocol === 'https:';
  const tunnel = await openTunnel(proxy, { host, port: Number(url.port || (isTls ? 443 : 80)) }, signal);
  return isTls ? await wrapTls(tunnel, { host, ALPNProtocols: ['http/1.1'], ...tls }, signal) : tunnel;
}
