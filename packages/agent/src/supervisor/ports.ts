import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import { addressOfRow, covers, isInTheWay, isWildcard } from './addresses.ts';
import type { ListeningSocket, Proc } from './proc.ts';

/** Opening ports for a moment, to see whether that can be done. */
export interface Sockets {
  /** Loopback TCP ports that were free a moment ago, all different. */
  free(count: number): Promise<number[]>;
  /** Opens the port and closes it again; says why when that fails. */
  bind(port: ListenPort): Promise<string | undefined>;
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(
        async (server) =>
          await new Promise<number>((resolve, reject) => {
            server.once('error', reject);
            server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
          }),
      ),
    );
  } finally {
    await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  }
}

/** Below what Linux gives to outgoing connections: a slot keeps its ports over reboots, when anything may come first. */
const [firstLasting, lastingCount, maxTries] = [20_000, 10_000, 50];

/** Loopback TCP ports for the life of a slot, all different; `random` is from 0 to 1. */
export async function lastingPorts(count: number, random: () => number, sockets = systemSockets): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; tries < maxTries && found.size < count; tries += 1) {
    const listen_port = firstLasting + Math.floor(random() * lastingCount);
    const port = { network: 'tcp', listen: '127.0.0.1', listen_port, tag: '', path: '' } as const;
    if ((await sockets.bind(port)) === undefined) found.add(listen_port);
  }
  return [...found, ...(await sockets.free(count - found.size))];
}

/** Ports of this list that the process does not hold yet, on the address that is wanted. Ready means: none is left. */
export function portsNotHeld(proc: Proc, pid: number, ports: readonly ListenPort[]): ListenPort[] {
  const fitting = proc.listeners().filter((socket) => ports.some((port) => isFor(port)(socket)));
  const own = proc.socketsOf(pid, new Set(fitting.map(({ inode }) => inode)));
  const held = fitting.filter(({ inode }) => own.has(inode));
  return ports.filter((port) => !held.some((socket) => isFor(port)(socket) && covers(placeOf(socket), port.listen)));
}

const isFor =
  ({ network, listen_port }: ListenPort) =>
  (socket: ListeningSocket): boolean =>
    socket.network === network && socket.port === listen_port;

const placeOf = ({ address }: ListeningSocket): string | undefined => addressOfRow(address);

/** Who has a port that is wanted: `nginx (pid 812)`, as far as it can be seen. */
export function holderOf(proc: Proc, port: ListenPort): string | undefined {
  const inWay = proc.listeners().filter((socket) => isFor(port)(socket) && isInTheWay(placeOf(socket), port.listen));
  return findHolder(proc, new Set(inWay.map(({ inode }) => inode)));
}

/** A port that someone else has. */
export interface BusyPort {
  readonly port: ListenPort;
  /** Who has it, as far as it can be seen: `nginx (pid 812)`. */
  readonly holder: string | undefined;
  readonly reason: string;
}

/** Which ports could not be opened now; those of the given processes of ours count as free. */
export async function findBusyPorts(
  proc: Proc,
  ports: readonly ListenPort[],
  ownPids: readonly number[],
  sockets = systemSockets,
): Promise<BusyPort[]> {
  const own = new Set(ownPids.flatMap((pid) => [...proc.socketsOf(pid)]));
  const listeners = proc.listeners();
  const busy: BusyPort[] = [];
  for (const port of ports) {
    const inWay = listeners.filter((socket) => isFor(port)(socket) && isInTheWay(placeOf(socket), port.listen));
    const ours = inWay.filter(({ inode }) => own.has(inode));
    // An engine of ours that has just this place gives it up when it takes the new configuration.
    if (ours.some((socket) => covers(placeOf(socket), port.listen))) continue;
    const others = inWay.filter(({ inode }) => !own.has(inode));
    // Beside an engine of ours on one of the addresses nothing can be tried out; the others show in the table.
    const reason = ours.length === 0 ? await sockets.bind(port) : others.length > 0 ? 'EADDRINUSE' : undefined;
    if (reason === undefined) continue;
    busy.push({ port, reason, holder: findHolder(proc, new Set(others.map(({ inode }) => inode))) });
  }
  return busy;
}

function findHolder(proc: Proc, inodes: ReadonlySet<string>): string | undefined {
  if (inodes.size === 0) return undefined;
  for (const pid of proc.pids()) {
    if (![...proc.socketsOf(pid)].some((inode) => inodes.has(inode))) continue;
    return `${proc.argumentsOf(pid)[0] ?? 'a program'} (pid ${pid})`;
  }
  return undefined;
}

async function bind({ network, listen, listen_port }: ListenPort): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message);
    if (network === 'tcp') {
      const server = createServer().once('error', failed);
      server.listen({ host: listen, port: listen_port, exclusive: true }, () => server.close(() => resolve(undefined)));
      return;
    }
    const socket = createSocket(listen.includes(':') ? 'udp6' : 'udp4').once('error', failed);
    socket.bind({ address: listen, port: listen_port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

/** The ports of this machine. */
export const systemSockets: Sockets = { free: freePorts, bind };

/** Whether two listeners would take what is meant for the same place. */
export const overlaps = (a: ListenPort, b: ListenPort): boolean =>
  a.network === b.network &&
  a.listen_port === b.listen_port &&
  (a.listen === b.listen || isAnywhere(a.listen) || isAnywhere(b.listen));

const isAnywhere = (address: string): boolean => address === '' || isWildcard(address);

/** Two listeners of one configuration on the same port: the engine's check lets that through, its start does not. */
export function findDoubledPort(ports: readonly ListenPort[]): readonly [ListenPort, ListenPort] | undefined {
  for (const [index, port] of ports.entries()) {
    const other = ports.slice(0, index).find((earlier) => earlier.path !== port.path && overlaps(earlier, port));
    if (other !== undefined) return [other, port];
  }
  return undefined;
}
