import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';

/** Tells one run of one program from all others, also after a pid was used again or the machine was booted. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly starttime: string;
  readonly boot_id: string;
  readonly exe: string;
}

export interface ListeningSocket {
  readonly network: 'tcp' | 'udp';
  readonly port: number;
  /** Hex as the kernel prints it; all zeros is a wildcard. */
  readonly address: string;
  readonly inode: string;
}

/** Linux's /proc, read synchronously: it is memory, and six times faster than through the thread pool. */
export interface Proc {
  /** Undefined when there is no such process; a zombie is dead. */
  identify(pid: number): ProcessIdentity | undefined;
  isAlive(identity: ProcessIdentity): boolean;
  argumentsOf(pid: number): string[];
  /** User that a process runs as. */
  ownerOf(pid: number): number | undefined;
  ownUser(): number | undefined;
  pids(): number[];
  rssBytes(pid: number): number | null;
  listeners(): ListeningSocket[];
  /** Inodes of the sockets that a process holds. */
  socketsOf(pid: number): Set<string>;
}

/** Linux's tick is 100 Hz for user space on every architecture that Node runs on. */
const pageBytes = 4096;

export function createProc(root = '/proc'): Proc {
  const read = (...parts: string[]): string | undefined =>
    orUndefined(() => readFileSync(path.join(root, ...parts), 'utf8'));
  const list = (...parts: string[]): string[] => orUndefined(() => readdirSync(path.join(root, ...parts))) ?? [];
  const link = (...parts: string[]): string | undefined => orUndefined(() => readlinkSync(path.join(root, ...parts)));
  const boot_id = read('sys', 'kernel', 'random', 'boot_id')?.trim() ?? '';

  function identify(pid: number): ProcessIdentity | undefined {
    const stat = parseStat(read(String(pid), 'stat') ?? '');
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
    return { pid, starttime: stat.starttime, boot_id, exe: link(String(pid), 'exe') ?? '' };
  }

  return {
    identify,
    isAlive(identity) {
      const now = identify(identity.pid);
      return now !== undefined && now.starttime === identity.starttime && now.boot_id === identity.boot_id;
    },
    argumentsOf: (pid) => (read(String(pid), 'cmdline') ?? '').split('\0').slice(0, -1),
    // The directory itself belongs to the effective user also where the files in it do not (proc(5), "dumpable").
    ownerOf: (pid) => orUndefined(() => statSync(path.join(root, String(pid))).uid),
    ownUser: () => orUndefined(() => statSync(path.join(root, 'self/')).uid),
    pids: () => list().map(Number).filter(Number.isInteger),
    rssBytes(pid) {
      const pages = read(String(pid), 'statm')?.split(' ')[1];
      return pages === undefined ? null : Number(pages) * pageBytes;
    },
    listeners: () =>
      (['tcp', 'tcp6', 'udp', 'udp6'] as const).flatMap((table) => {
        const file = path.join(root, 'net', table);
        return parseSockets(orUndefined(() => readListening(file, table)) ?? '', table);
      }),
    socketsOf: (pid) =>
      new Set(
        list(String(pid), 'fd').flatMap(
          (fd) => /^socket:\[(\d+)\]$/.exec(link(String(pid), 'fd', fd) ?? '')?.[1] ?? [],
        ),
      ),
  };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // It ended while we looked, or it is someone else's.
    return undefined;
  }
}

/** proc(5): the program's name is in brackets and may hold anything, brackets too; fields count after the last one. */
export function parseStat(stat: string): { state: string; starttime: string } | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, starttime] = [fields[0], fields[19]];
  return state === undefined || starttime === undefined ? undefined : { state, starttime };
}

const chunkBytes = 16 * 1024;

/**
 * The beginning of a table of sockets that holds all of those that listen. Linux lists them first; behind them a busy
 * machine has a row for each of its connections, which would take tens of milliseconds to read.
 */
function readListening(file: string, table: SocketTable): string {
  const fd = openSync(file, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let text = '';
    for (let size = readSync(fd, chunk); size > 0; size = readSync(fd, chunk)) {
      text += chunk.toString('latin1', 0, size);
      const end = text.lastIndexOf('\n');
      const state = text
        .slice(text.lastIndexOf('\n', end - 1) + 1, end)
        .trim()
        .split(/\s+/)[3];
      if (table.startsWith('tcp') && state !== undefined && state !== tcpListen && state !== 'st') break;
    }
    return text;
  } finally {
    closeSync(fd);
  }
}

type SocketTable = 'tcp' | 'tcp6' | 'udp' | 'udp6';
/** TCP_LISTEN, and what the kernel prints for a bound UDP socket (include/net/tcp_states.h). */
const tcpListen = '0A';
const udpBound = '07';

/** Listening rows of /proc/net/tcp and bound ones of /proc/net/udp; ports and addresses are hex. */
export function parseSockets(text: string, table: SocketTable): ListeningSocket[] {
  const network = table.startsWith('tcp') ? 'tcp' : 'udp';
  const wanted = network === 'tcp' ? tcpListen : udpBound;
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      return state === wanted && inode !== undefined
        ? [{ network, port: Number.parseInt(port, 16), address, inode }]
        : [];
    });
}
