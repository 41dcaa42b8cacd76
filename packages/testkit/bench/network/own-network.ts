// A network namespace for one program and everything it starts: its own loopback, nftables and routes, nobody else's.
// Its mounts are its own too: they end with its last process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const mark = 'SBOX_OWN_NETWORK';

/**
 * False in the outer program: it has run itself again inside a new namespace, with the same arguments and streams, and
 * took over how that ended. True inside, where the caller goes on. Without root it becomes root of a user namespace.
 * @throws when the kernel gives no namespace
 */
export async function isInOwnNetwork(): Promise<boolean> {
  if (process.env[mark] === '1') return true;
  const flags = process.getuid?.() === 0 ? ['--net', '--mount'] : ['--user', '--map-root-user', '--net', '--mount'];
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', [...flags, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...again], {
    stdio: 'inherit',
    // An ordinary user's PATH does not have the places where ip and nft are.
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, [mark]: '1' },
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  const [code, signal] = (await once(child, 'exit').catch((error: unknown) => {
    throw new Error('no network namespace: unshare and ip are needed (Debian: util-linux, iproute2)', { cause: error });
  })) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? (signal === null ? 1 : 130);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, pass);
  return false;
}
