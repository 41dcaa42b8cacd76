import { type AddressInfo, createServer } from 'node:net';

/**
 * Loopback TCP ports that were free a moment ago, all different. Another program may take one before its user binds it,
 * so whoever uses them tries again with new ones.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      async (server) =>
        await new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  return ports;
}
