import { isoTime, messageOf, ProblemError, within, type Clock, type Generation } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { signRequest } from '@sbox/daemon/signature';
import {
  agentStreamPath,
  agentSubprotocol,
  bootHeader,
  managerFrameSchema,
  type AgentFrame,
  type ManagerFrame,
} from '@sbox/protocol';
import { WebSocket } from 'ws';
import * as z from 'zod/mini';
import { createBackoff } from './backoff.ts';
import { pinnedTls, type ManagerPlace, type Signer } from './http-transport.ts';
import { openThrough } from './manager-way.ts';
import type { ServerClock } from './server-clock.ts';
import { createWaker, type Waker } from './waker.ts';

export interface StreamDeps {
  /** Where the manager answered last, and the way there. */
  readonly place: () => ManagerPlace;
  readonly bootId: string;
  readonly ca: string | null;
  readonly signer: Signer;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** There may be something to ask for. `desired` is undefined right after connecting. */
  readonly onHint: (desired: Generation | undefined) => void;
  /** The socket came or went. */
  readonly onState: (isOpen: boolean) => void;
  readonly settings: {
    readonly connect_timeout: number;
    readonly retry_base: number;
    readonly retry_cap: number;
    readonly socket_retry: number;
  };
}

export interface Stream {
  readonly isOpen: boolean;
  /** Keeps a socket open for ever; while it cannot, somebody else asks. Resolves when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Without a frame for so many heartbeats the connection is taken for dead, though TCP has not noticed. */
const missedHeartbeats = 2.5;
const shortestHeartbeatMs = 1000;
const defaultHeartbeatMs = 30_000;
const refusalsBeforeFallback = 2;
/** A link that held so long starts its waits from the beginning again. */
const stableMs = 60_000;
const maxFrameBytes = 1024 * 1024;

interface Session {
  readonly wasOpen: boolean;
  /** What the manager asked for before it went. */
  readonly delayMs: number;
  readonly heldMs: number;
  readonly reason: string;
}

/** The socket to the manager: hints only, so that losing it costs time and nothing else. */
export function createStream(deps: StreamDeps): Stream {
  const { clock, log, settings, random } = deps;
  const backoff = createBackoff({ baseMs: settings.retry_base, capMs: settings.retry_cap, random });
  let isOpen = false;
  let refusals = 0;
  const setOpen = (now: boolean): void => {
    if (isOpen === now) return;
    isOpen = now;
    deps.onState(now);
  };

  const pauseAfter = (session: Session): number => {
    refusals = session.wasOpen ? 0 : refusals + 1;
    if (session.heldMs >= stableMs) backoff.reset();
    if (refusals >= refusalsBeforeFallback) {
      log.info('socket given up for a while', { error: session.reason });
      return settings.socket_retry * (0.8 + 0.4 * random());
    }
    return backoff.next(session.delayMs);
  };

  return {
    get isOpen() {
      return isOpen;
    },
    async run(signal) {
      try {
        while (!signal.aborted) {
          const session = await runSession(deps, setOpen, signal);
          setOpen(false);
          log.debug('socket closed', { error: session.reason, held_ms: Math.round(session.heldMs) });
          await clock.sleep(pauseAfter(session), signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        setOpen(false);
      }
    },
  };
}

/** One connection while it lives. */
interface Link {
  readonly ended: AbortController;
  readonly beat: Waker;
  heartbeatMs: number;
  lastFrameMs: number;
  wasOpen: boolean;
  delayMs: number;
}

const end = ({ ended }: Link, reason: string): void => {
  ended.abort(new ProblemError('manager.unreachable', reason));
};

async function runSession(deps: StreamDeps, setOpen: (isOpen: boolean) => void, signal: AbortSignal): Promise<Session> {
  const { clock } = deps;
  const startedMs = clock.monotonic();
  const link: Link = {
    ended: new AbortController(),
    beat: createWaker(clock),
    heartbeatMs: defaultHeartbeatMs,
    lastFrameMs: startedMs,
    wasOpen: false,
    delayMs: 0,
  };
  const stop = (): void => {
    end(link, 'stopped');
  };
  signal.addEventListener('abort', stop, { once: true });
  const place = deps.place();
  let socket: WebSocket | undefined;
  try {
    socket = await openSocket(deps, place);
    attach(socket, link, deps, setOpen);
    await keepAlive(socket, link, { clock, isElsewhere: () => !isSamePlace(place, deps.place()) });
  } catch (error) {
    end(link, messageOf(error));
  } finally {
    signal.removeEventListener('abort', stop);
    socket?.terminate();
  }
  const { wasOpen, delayMs, ended } = link;
  return { wasOpen, delayMs, heldMs: clock.monotonic() - startedMs, reason: messageOf(ended.signal.reason) };
}

function attach(socket: WebSocket, link: Link, deps: StreamDeps, setOpen: (isOpen: boolean) => void): void {
  const { clock, serverClock, onHint } = deps;
  const live = (): void => {
    link.lastFrameMs = clock.monotonic();
  };
  const handle: { [T in ManagerFrame['type']]: (data: Extract<ManagerFrame, { type: T }>['data']) => void } = {
    welcome: (data) => {
      link.heartbeatMs = Math.max(data.heartbeat_ms, shortestHeartbeatMs);
      link.beat.wake();
      serverClock.note(data.server_time);
      if (data.desired) onHint(data.desired);
    },
    hint: onHint,
    drain: (data) => {
      link.delayMs = data.delay_ms;
      end(link, 'the manager drains');
    },
  };
  socket.on('ping', live);
  socket.on('pong', live);
  socket.on('error', (error) => {
    end(link, messageOf(error));
  });
  socket.on('close', (code) => {
    end(link, `closed with ${code}`);
  });
  socket.on('open', () => {
    live();
    link.wasOpen = true;
    setOpen(true);
    onHint(undefined);
  });
  socket.on('message', (data: Buffer, isBinary) => {
    live();
    const frame = isBinary ? undefined : parseFrame(data.toString('utf8'));
    if (frame) (handle[frame.type] as (data: unknown) => void)(frame.data);
  });
}

const isSamePlace = (a: ManagerPlace, b: ManagerPlace): boolean => a.url === b.url && a.way === b.way;

interface Keeping {
  readonly clock: Clock;
  /** Requests go another way by now, and so should hints. */
  readonly isElsewhere: () => boolean;
}

/** Sends heartbeats, and ends a link on which nothing comes back. Rejects when the link has ended. */
async function keepAlive(socket: WebSocket, link: Link, { clock, isElsewhere }: Keeping): Promise<never> {
  for (let seq = 1; ; seq += 1) {
    const silentMs = clock.monotonic() - link.lastFrameMs;
    if (link.wasOpen && silentMs > missedHeartbeats * link.heartbeatMs) end(link, 'silent for too long');
    if (isElsewhere()) end(link, 'the manager is reached another way');
    if (socket.readyState === WebSocket.OPEN) {
      const frame: AgentFrame = { type: 'heartbeat', timestamp: isoTime(clock.now()), data: { seq } };
      socket.send(JSON.stringify(frame));
      // Its answer shows life where the manager has nothing to say.
      socket.ping();
    }
    await link.beat.wait(link.heartbeatMs, link.ended.signal);
  }
}

async function openSocket(deps: StreamDeps, { url, way }: ManagerPlace): Promise<WebSocket> {
  const { ca, signer, serverClock, clock, settings, bootId } = deps;
  const origin = new URL(url);
  const request = {
    method: 'GET',
    path: agentStreamPath,
    headers: { [bootHeader]: bootId },
    body: new Uint8Array(),
  };
  const open = async (signal: AbortSignal) => await openThrough(way, origin, pinnedTls(ca), signal);
  const tunnel = way.via === 'direct' ? undefined : await within({ clock, ms: settings.connect_timeout }, open);
  const headers = await signRequest(request, signer.serverId, signer.key, clock, serverClock.offsetMs);
  return new WebSocket(`${origin.origin.replace(/^http/, 'ws')}${agentStreamPath}`, agentSubprotocol, {
    ...(tunnel ? { createConnection: () => tunnel } : {}),
    headers,
    handshakeTimeout: settings.connect_timeout,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    followRedirects: false,
    ...pinnedTls(ca),
  });
}

/** Undefined for a frame that this agent does not know; the hints in it come back through the slow check. */
function parseFrame(text: string): ManagerFrame | undefined {
  try {
    const parsed = z.safeParse(managerFrameSchema, JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
