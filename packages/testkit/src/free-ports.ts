import { createServer } from 'node:net';

/**
 * Below the ports that agents choose for slots (20,000 on) and that Linux gives to outgoing connections (32,768 on): what
 * runs beside a test takes those, and the port has to stay free until its user binds it.
 */
const [first, count, maxTries] = [10_000, 9_900, 100] as const;

/** Loopback TCP ports that are free now and that nothing else would choose, all different. */
export async function freePorts(wanted: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < wanted && tries < maxTries; tries += 1) {
    const port = first + Math.floor(Math.random() * count);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size < wanted) throw new Error(`${wanted} free ports were not found`);
  return [...found];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
