import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { ProblemError } from '@sbox/core';

/** @throws ProblemError `port.in-use` that names the program which holds the port, where /proc shows it. */
export async function assertFree(address: string, fix: string): Promise<void> {
  const [, host = '127.0.0.1', portText = '0'] = /^(.*):(\d+)$/.exec(address) ?? [];
  const port = Number(portText);
  if (port === 0 || (await isFree(host.replaceAll(/[[\]]/g, ''), port))) return;
  const holder = await holderOf(port);
  throw new ProblemError('port.in-use', `${address} is held by ${holder ?? 'a program of another user'}`, {
    fix,
    headline: `port ${port} is in use`,
    details: { address },
  });
}

/** The wanted port if it is free, else any. */
export async function freePort(wanted: number): Promise<number> {
  return wanted !== 0 && (await isFree('127.0.0.1', wanted)) ? wanted : await anyPort();
}

const anyPort = async (): Promise<number> =>
  await new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });

const isFree = async (host: string, port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });

/** `node, pid 1234`: who listens, by the socket's inode in /proc. */
async function holderOf(port: number): Promise<string | undefined> {
  const inodes = new Set((await Promise.all(['tcp', 'tcp6'].map((name) => listeningInodes(name, port)))).flat());
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1];
      if (inode !== undefined && inodes.has(inode)) return `${await programOf(pid)}, pid ${pid}`;
    }
  }
  return undefined;
}

/** The file that runs: the name in `comm` is that of a thread. */
async function programOf(pid: string): Promise<string> {
  const file = await readlink(`/proc/${pid}/exe`).catch(() => 'a program');
  return path.basename(file.replace(/ \(deleted\)$/, ''));
}

async function listeningInodes(table: string, port: number): Promise<string[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '');
  const local = port.toString(16).toUpperCase().padStart(4, '0');
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    return fields[1]?.endsWith(`:${local}`) && fields[3] === '0A' ? [fields[9] ?? ''] : [];
  });
}
