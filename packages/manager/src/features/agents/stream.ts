import type { IncomingMessage } from 'node:http';
import { isoTime, ProblemError, type Clock, type Generation, type NewId } from '@sbox/core';
import type { Hub } from '@sbox/daemon/hub';
import { errorFields, type Logger } from '@sbox/daemon/log';
import {
  passGate,
  refuseConnection,
  type AddressOf,
  type Caller,
  type Gatekeeper,
  type Upgrade,
} from '@sbox/daemon/serve';
import {
  agentFrameSchema,
  agentStreamPath,
  agentSubprotocol,
  bootHeader,
  closeCodes,
  route,
  type ManagerFrame,
} from '@sbox/protocol';
import { WebSocketServer, type WebSocket } from 'ws';
import * as z from 'zod/mini';
import { msOf, type ManagerSettings } from '../../settings.ts';
import type { AuditStep } from '../audit/audit-step.ts';
import type { Presence } from '../servers/presence.ts';
import type { CloneWatch } from './clone-watch.ts';
import type { Desired } from './desired.ts';

export interface StreamDeps {
  readonly gatekeeper: Gatekeeper;
  readonly addressOf: AddressOf;
  /** Writes down who was not let in. */
  readonly denied: AuditStep['denied'];
  readonly newId: NewId;
  readonly presence: Presence;
  readonly desired: Pick<Desired, 'newest'>;
  readonly clones: Pick<CloneWatch, 'admit'>;
  readonly hints: Hub<Generation>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: ManagerSettings['agents'];
  /** From 0 to 1. */
  readonly random: () => number;
}

export interface Stream extends AsyncDisposable {
  readonly upgrade: Upgrade;
  readonly sockets: number;
  /** Pings everyone and ends those that were silent since the last two calls. */
  sweep(): void;
}

interface Session {
  readonly socket: WebSocket;
  readonly subscription: Disposable;
  missed: number;
}

const maxPayload = 1024 * 1024;
/** A hint is not worth queueing for a reader that does not read. */
const maxBuffered = 256 * 1024;
const closeMs = 1000;

const noBody = async (): Promise<Uint8Array> => await Promise.resolve(new Uint8Array());

/** What the gatekeeper is asked: the upgrade is signed like every request of an agent. */
const upgradeRoute = route({
  id: 'openStream',
  method: 'get',
  path: agentStreamPath,
  summary: 'Upgrade to a WebSocket that carries hints',
  permission: 'agent',
  ok: { status: 204 },
  problems: [],
  example: {},
});

/** Sockets of agents: they carry hints, so that losing one loses nothing. A server has one; the newest wins. */
export function createStream(deps: StreamDeps): Stream {
  const { clock, log } = deps;
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload, clientTracking: false });
  const sessions = new Map<string, Session>();
  let isStopping = false;

  return {
    get sockets() {
      return sessions.size;
    },
    upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      void (async () => {
        try {
          const serverId = await admit(deps, request, isStopping);
          if (socket.destroyed) return;
          server.handleUpgrade(request, socket, head, (opened) => {
            openSession(deps, sessions, serverId, opened).catch((error: unknown) => {
              log.error('socket could not be opened', { server_id: serverId, ...errorFields(error) });
              opened.terminate();
            });
          });
        } catch (error) {
          refuseConnection(socket, error);
        }
      })();
    },
    sweep() {
      for (const session of sessions.values()) {
        session.missed += 1;
        if (session.missed > 2) session.socket.terminate();
        else session.socket.ping();
      }
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      const sockets = [...sessions.values()].map(({ socket }) => socket);
      for (const socket of sockets) {
        send(
          socket,
          frame(clock, 'drain', { delay_ms: Math.round(deps.random() * msOf(deps.settings.reconnect_window)) }),
        );
        socket.close(closeCodes.draining, 'the manager is stopping');
      }
      const closed = Promise.all(sockets.map(async (socket) => await untilClosed(socket)));
      const timer = setTimeout(() => sockets.forEach((socket) => socket.terminate()), closeMs);
      await closed;
      clearTimeout(timer);
      server.close();
    },
  };
}

/** Ties a socket to its server until it closes. */
async function openSession(
  { presence, desired, hints, clock, log, settings }: StreamDeps,
  sessions: Map<string, Session>,
  serverId: string,
  socket: WebSocket,
): Promise<void> {
  let isWelcome = false;
  let early: Generation | undefined;
  const hint = (generation: Generation): void => {
    if (generation.epoch === 0) socket.close(closeCodes.unauthorised, 'the server was removed');
    else if (!isWelcome) early = generation;
    else if (socket.bufferedAmount < maxBuffered) send(socket, frame(clock, 'hint', generation));
  };
  const session: Session = { socket, subscription: hints.subscribe(serverId, hint), missed: 0 };
  sessions.get(serverId)?.socket.close(closeCodes.replaced, 'a newer socket took over');
  sessions.set(serverId, session);
  presence.seen(serverId);
  socket.on('pong', () => {
    session.missed = 0;
    presence.seen(serverId);
  });
  socket.on('message', (data: Buffer) => {
    session.missed = 0;
    if (isFrame(data)) presence.seen(serverId);
  });
  socket.on('error', (error) => log.debug('socket failed', { server_id: serverId, ...errorFields(error) }));
  socket.on('close', () => {
    session.subscription[Symbol.dispose]();
    if (sessions.get(serverId) === session) sessions.delete(serverId);
  });
  const welcome = {
    server_time: isoTime(clock.now()),
    heartbeat_ms: msOf(settings.heartbeat),
    desired: await desired.newest(serverId),
  };
  send(socket, frame(clock, 'welcome', welcome));
  isWelcome = true;
  if (early) hint(early);
}

/** The id of the server that asks. @throws ProblemError of the gatekeeper, or what is wrong with the upgrade */
async function admit(deps: StreamDeps, request: IncomingMessage, isStopping: boolean): Promise<string> {
  const { gatekeeper, addressOf, clones } = deps;
  if (isStopping) throw new ProblemError('internal.unavailable', 'the manager is stopping');
  const path = request.url ?? '/';
  if (path.split('?')[0] !== agentStreamPath) throw new ProblemError('route.not-found', `no socket at ${path}`);
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  if (!offered.includes(agentSubprotocol))
    throw new ProblemError('request.malformed', `the socket must speak ${agentSubprotocol}`);
  const headers = Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
  const remoteAddress = addressOf(request.socket.remoteAddress ?? 'local', headers);
  const asked = { method: 'GET', path, headers, readBody: noBody, remoteAddress } as const;
  const requestId = deps.newId('req');
  const refused = async (caller: Caller, error: unknown): Promise<void> =>
    await deps.denied({ caller, remoteAddress, requestId, routeId: upgradeRoute.id, object: {} }, error);
  const caller = await passGate(gatekeeper, upgradeRoute, asked, refused);
  clones.admit(caller.id, headers[bootHeader]);
  return caller.id;
}

type FrameOf<T extends ManagerFrame['type']> = Extract<ManagerFrame, { type: T }>;
const frame = <T extends ManagerFrame['type']>(clock: Clock, type: T, data: FrameOf<T>['data']): FrameOf<T> =>
  ({ type, timestamp: isoTime(clock.now()), data }) as FrameOf<T>;

function send(socket: WebSocket, message: ManagerFrame): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

/** Frames of newer agents are ignored, as long as they are frames. */
function isFrame(data: Buffer): boolean {
  try {
    return z.safeParse(agentFrameSchema, JSON.parse(data.toString('utf8'))).success;
  } catch {
    return false;
  }
}

const untilClosed = async (socket: WebSocket): Promise<void> =>
  await new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve();
    else socket.once('close', () => resolve());
  });
