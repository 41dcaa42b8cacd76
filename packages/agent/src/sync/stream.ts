import { isoTime, messageOf, ProblemError, type Clock, type Generation } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { signRequest } from '@sbox/daemon/signature';
import {
  agentStreamPath,
  agentSubprotocol,
  managerFrameSchema,
  type AgentFrame,
  type ManagerFrame,
} from '@sbox/protocol';
import { WebSocket } from 'ws';
import * as z from 'zod/mini';
import { createBackoff } from './backoff.ts';
import { pinnedTls, type Signer } from './http-transport.ts';
import type { ServerClock } from './server-clock.ts';
import { createWaker, type Waker } from './waker.ts';

export interface StreamDeps {
  /** The address that answered last. */
  readonly url: () => string;
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
  const socket = await openSocket(deps);
  attach(socket, link, deps, setOpen);
  try {
    await keepAlive(socket, link, clock);
  } catch (error) {
    if (!link.ended.signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    socket.terminate();
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

/** Sends heartbeats, and ends a link on which nothing comes back. Rejects when the link has ended. */
async function keepAlive(socket: WebSocket, link: Link, clock: Clock): Promise<never> {
  for (let seq = 1; ; seq += 1) {
    const silentMs = clock.monotonic() - link.lastFrameMs;
    if (link.wasOpen && silentMs > missedHeartbeats * link.heartbeatMs) end(link, 'silent for too long');
    if (socket.readyState === WebSocket.OPEN) {
      const frame: AgentFrame = { type: 'heartbeat', timestamp: isoTime(clock.now()), data: { seq } };
      socket.send(JSON.stringify(frame));
      // Its answer shows life where the manager has nothing to say.
      socket.ping();
    }
    await link.beat.wait(link.heartbeatMs, link.ended.signal);
  }
}

async function openSocket({ url, ca, signer, serverClock, clock, settings }: StreamDeps): Promise<WebSocket> {
  const request = { method: 'GET', path: agentStreamPath, headers: {}, body: new Uint8Array() };
  const headers = await signRequest(request, signer.serverId, signer.key, clock, serverClock.offsetMs);
  return new WebSocket(`${new URL(url()).origin.replace(/^http/, 'ws')}${agentStreamPath}`, agentSubprotocol, {
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
