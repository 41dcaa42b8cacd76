import { closeSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { memoryAvailable } from './cgroup.ts';
import { watchEnd, type EndWatch } from './end-pipe.ts';
import { watchOom, type OomWatch } from './oom.ts';

/** Tells one run of one program from all others, also after a pid was used again or the machine was booted. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly starttime: string;
  readonly boot_id: string;
  readonly exe: string;
}

/** Numbers of other processes; an orphan's parent is 1 or a subreaper. */
export interface Kin {
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** As in its identity. */
  readonly starttime: string;
}

export interface ListeningSocket {
  readonly network: 'tcp' | 'udp';
  readonly port: number;
  /** Hex as the kernel prints it; all zeros is a wildcard. */
  readonly address: string;
  readonly inode: string;
}

/** Null where the kernel does not say. */
export interface MemoryFacts {
  /** What programs may still take: of the machine, or of the cgroups around this process. */
  readonly availableBytes: number | null;
  /** Of this process. */
  readonly ownBytes: number | null;
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
  /** Undefined when there is no such process, as for `identify`. */
  kinOf(pid: number): Kin | undefined;
  /** One variable of the environment that a process was started with. */
  environmentOf(pid: number, name: string): string | undefined;
  /** How many files and sockets a process has open, and how many it may; null where that cannot be seen. */
  openFiles(pid: number): number | null;
  fileLimit(pid: number): number | null;
  memory(): MemoryFacts;
  /** Undefined for a process that tells nobody of its end. */
  watchEnd(pid: number): EndWatch | undefined;
  watchOom(pid: number): OomWatch;
  listeners(): ListeningSocket[];
  /** Inodes of the sockets that a process holds. It may stop looking when it has found all that are wanted. */
  socketsOf(pid: number, wanted?: ReadonlySet<string>): Set<string>;
}

export function createProc(root = '/proc'): Proc {
  const read = (...parts: string[]): string | undefined =>
    orUndefined(() => readFileSync(path.join(root, ...parts), 'utf8'));
  const list = (...parts: string[]): string[] => orUndefined(() => readdirSync(path.join(root, ...parts))) ?? [];
  const link = (...parts: string[]): string | undefined => orUndefined(() => readlinkSync(path.join(root, ...parts)));
  const boot_id = read('sys', 'kernel', 'random', 'boot_id')?.trim() ?? '';

  const roots = { proc: root, cgroup: '/sys/fs/cgroup' };

  function rssOf(process: string): number | null {
    // Not statm: that counts in pages, whose size differs between machines.
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(process, 'status') ?? '')?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  }

  function statOf(pid: number): Stat | undefined {
    const stat = parseStat(read(String(pid), 'stat') ?? '');
    return stat?.state === 'Z' || stat?.state === 'X' ? undefined : stat;
  }

  function identify(pid: number): ProcessIdentity | undefined {
    const stat = statOf(pid);
    if (stat === undefined) return undefined;
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
    rssBytes: (pid) => rssOf(String(pid)),
    memory: () => ({ availableBytes: memoryAvailable(roots), ownBytes: rssOf('self') }),
    kinOf: (pid) => statOf(pid),
    environmentOf: (pid, name) =>
      (read(String(pid), 'environ') ?? '')
        .split('\0')
        .find((variable) => variable.startsWith(`${name}=`))
        ?.slice(name.length + 1),
    openFiles: (pid) => countEntries(path.join(root, String(pid), 'fd')),
    fileLimit(pid) {
      const soft = /^Max open files +(\d+)/m.exec(read(String(pid), 'limits') ?? '')?.[1];
      return soft === undefined ? null : Number(soft);
    },
    watchEnd: (pid) => watchEnd(pid, root),
    watchOom: (pid) => watchOom(pid, roots),
    listeners: () =>
      (['tcp', 'tcp6', 'udp', 'udp6'] as const).flatMap((table) => {
        const file = path.join(root, 'net', table);
        return parseSockets(orUndefined(() => readListening(file, table)) ?? '', table);
      }),
    socketsOf: (pid, wanted) => findSockets(path.join(root, String(pid), 'fd'), wanted),
  };
}

/** Since Linux 6.2 the size of a directory of descriptors is their number; a busy engine has tens of thousands. */
function countEntries(directory: string): number | null {
  const size = orUndefined(() => statSync(directory).size) ?? 0;
  return size > 0 ? size : (orUndefined(() => readdirSync(directory).length) ?? null);
}

/** In order of their numbers, so that what listens comes before the connections. */
function findSockets(directory: string, wanted: ReadonlySet<string> | undefined): Set<string> {
  const found = new Set<string>();
  if (wanted?.size === 0) return found;
  let missing = wanted?.size ?? Infinity;
  for (const fd of orUndefined(() => readdirSync(directory)) ?? []) {
    const target = orUndefined(() => readlinkSync(path.join(directory, fd))) ?? '';
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode === undefined || found.has(inode)) continue;
    found.add(inode);
    if (wanted?.has(inode) === true && (missing -= 1) === 0) break;
  }
  return found;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    // It ended while we looked, or it is someone else's.
    return undefined;
  }
}

interface Stat extends Kin {
  readonly state: string;
}

/** proc(5): the program's name is in brackets and may hold anything, brackets too; fields count after the last one. */
export function parseStat(stat: string): Stat | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const starttime = fields[19];
  if (state === undefined || starttime === undefined) return undefined;
  return { state, parent: Number(parent), group: Number(group), session: Number(session), starttime };
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
