import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { ProblemError, messageOf, type Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import type { Mover, Redirect } from './mover.ts';

export interface FrontDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Of all units together; what comes beyond is refused at once. */
  readonly maxConnections?: number;
}

const defaultMaxConnections = 20_000;
/** An engine that was just started or moved to may need a moment. */
const [dialTries, dialPauseMs, dialTimeoutMs] = [10, 20, 3000] as const;

const wildcards = new Set(['', '::', '0.0.0.0']);
const keyOf = ({ listen, from }: Redirect): string => `${listen} ${from}`;

interface Door {
  readonly server: Server;
  /** Where its next connection goes. */
  to: number;
}

/** What all doors share. */
interface Hall extends FrontDeps {
  readonly sockets: Set<Socket>;
  readonly maxSockets: number;
  readonly closing: AbortSignal;
}

/**
 * Moves connections by holding the TCP ports that programs use and passing each connection on to the engine that serves at
 * that time. Engines see the agent as the source, and connections end with the agent: for servers that have no nftables.
 */
export function createFront(deps: FrontDeps): Mover {
  const stopping = new AbortController();
  const sockets = new Set<Socket>();
  const maxSockets = 2 * (deps.maxConnections ?? defaultMaxConnections);
  const hall: Hall = { ...deps, sockets, maxSockets, closing: stopping.signal };
  const units = new Map<string, Map<string, Door>>();
  return {
    holdsPorts: true,
    async findProblem(ports: readonly ListenPort[]) {
      const udp = ports.find(({ network }) => network === 'udp');
      return await Promise.resolve(udp && `the TCP front cannot pass UDP on (inbound "${udp.tag}")`);
    },
    async point(unit, { redirects }) {
      const doors = units.get(unit) ?? new Map<string, Door>();
      const wanted = new Map(redirects.filter(({ network }) => network === 'tcp').map((one) => [keyOf(one), one]));
      const opened = new Map<string, Door>();
      try {
        for (const [key, one] of wanted) if (!doors.has(key)) opened.set(key, await openDoor(hall, one));
      } catch (error) {
        for (const { server } of opened.values()) server.close();
        throw error;
      }
      for (const [key, door] of doors) {
        const one = wanted.get(key);
        if (one !== undefined) opened.set(key, Object.assign(door, { to: one.to }));
        // Connections through it stay open.
        else door.server.close();
      }
      units.set(unit, opened);
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new ProblemError('command.failed', 'the agent stops'));
      const servers = [...units.values()].flatMap((doors) => [...doors.values()].map(({ server }) => server));
      const closed = servers.map(async (server) => await new Promise<void>((resolve) => server.close(() => resolve())));
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

async function openDoor(hall: Hall, { listen, from, to }: Redirect): Promise<Door> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const door: Door = { server, to };
  server.on('connection', (client) => void passOn(hall, client, door, dialedAddress(listen)));
  server.listen({ ...(listen === '' ? {} : { host: listen }), port: from });
  await once(server, 'listening').catch((cause: unknown) => {
    const where = `${listen}:${from}`;
    throw new ProblemError('apply.failed', `the front cannot listen on ${where}: ${messageOf(cause)}`, { cause });
  });
  server.on('error', (error) =>
    hall.log.warn('A port of the front has trouble', { port: from, ...errorFields(error) }),
  );
  return door;
}

async function passOn(hall: Hall, client: Socket, door: Door, host: string): Promise<void> {
  client.on('error', () => client.destroy());
  if (hall.sockets.size >= hall.maxSockets || hall.closing.aborted) return void client.destroy();
  track(hall, client);
  const engine = await dial(hall, client, door, host);
  if (engine === undefined) return void client.resetAndDestroy();
  track(hall, engine);
  join(client, engine);
  join(engine, client);
  client.resume();
}

/** `pipe` waits for whoever reads slowly, and passes an end on while the other direction goes on. */
function join(from: Socket, to: Socket): void {
  from.setNoDelay(true).pipe(to);
  from.on('error', () => to.destroy());
  // One that is gone before its end was said takes the other along.
  from.on('close', () => (from.readableEnded ? undefined : to.destroy()));
}

function track({ sockets }: Hall, socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
}

/** Undefined when no engine answers, or the client has gone. */
async function dial({ clock, closing }: Hall, client: Socket, door: Door, host: string): Promise<Socket | undefined> {
  for (let tries = 0; tries < dialTries && !client.destroyed && !closing.aborted; tries += 1) {
    const engine = connect({ host, port: door.to, allowHalfOpen: true });
    try {
      await once(engine, 'connect', { signal: AbortSignal.any([closing, AbortSignal.timeout(dialTimeoutMs)]) });
      return engine;
    } catch {
      engine.on('error', () => {}).destroy();
      await clock.sleep(dialPauseMs, closing).catch(() => {});
    }
  }
  return undefined;
}

const dialedAddress = (listen: string): string => (wildcards.has(listen) ? '127.0.0.1' : listen);
