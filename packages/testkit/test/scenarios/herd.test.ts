import { expect, test } from '@jest/globals';
import { createHttpTransport, createServerClock } from '@sbox/agent';
import { parseJoinToken, ProblemError, systemClock, toBase64 } from '@sbox/core';
import { createKeyPair } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { agentRoutes, createClient, enrolProofText, exampleStatus } from '@sbox/protocol';
import { readProcessUsage } from '../../src/process-usage.ts';
import { openTestDirectory, startManagerProcess, type ManagerProcess } from '../../src/index.ts';

/** The design has 5,000; a test has as many as one process can be in a few seconds. */
const agents = 200;
const windowMs = 2000;

/** An agent on the wire only: enrolled, signed, with its own connections. */
async function joinFake(manager: ManagerProcess, at: number) {
  const key = createKeyPair();
  const { token } = await manager.client.joinTokens.create({ body: {} });
  const { id, secret } = parseJoinToken(token);
  const publicKey = toBase64(key.publicKey);
  const facts = { version: '0.1.0', os: 'linux', arch: 'x64', host_name: `fake-${at}` };
  const proof = toBase64(key.sign(Buffer.from(enrolProofText(id, publicKey))));
  const body = { token_id: id, secret, public_key: publicKey, proof, name: `fake-${at}`, agent: facts, engines: [] };
  const { server_id: serverId } = await createClient(agentRoutes, manager.transport).enrol({ body });
  const transport = createHttpTransport({
    urls: [manager.url],
    ca: null,
    signer: { serverId, key },
    serverClock: createServerClock(systemClock),
    clock: systemClock,
    log: silentLogger,
    connectTimeoutMs: 5000,
  });
  let seq = 0;
  const client = createClient(agentRoutes, transport.send);
  return {
    report: async () => await client.status({ body: { ...exampleStatus, boot_id: `fake-${at}`, seq: (seq += 1) } }),
    [Symbol.asyncDispose]: async () => await transport[Symbol.asyncDispose](),
  };
}

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

test(`scenario 30: ${agents} agents come back at once after the manager was killed: all are served`, async () => {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(openTestDirectory('herd'));
  const limits = { LIMITS_TOKEN: '1000000', LIMITS_AGENT: '1000000', LIMITS_ENROL: '1000000' };
  const manager = stack.use(await startManagerProcess({ dir: dir.file('manager'), settings: limits }));
  const fleet: Awaited<ReturnType<typeof joinFake>>[] = [];
  for (let at = 0; at < agents; at += 1) fleet.push(stack.use(await joinFake(manager, at)));
  const reportAll = async (): Promise<void> => void (await Promise.all(fleet.map(async (one) => await one.report())));
  await reportAll();
  const before = readProcessUsage(manager.process.pid).anon_mb;

  await manager.kill();
  await expect(fleet[0]?.report()).rejects.toBeInstanceOf(ProblemError);
  const codes: string[] = [];
  const back = fleet.map(async (one) => {
    // As agents do: again and again with a jittered wait.
    for (;;) {
      try {
        await one.report();
        return performance.now();
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        codes.push(error.code);
        await pause(Math.random() * windowMs);
      }
    }
  });
  await manager.restart();
  const upMs = performance.now();
  const backMs = await Promise.all(back);
  // No 5xx: nobody heard anything but that nobody was there.
  expect(new Set(codes)).toEqual(new Set(['manager.unreachable']));
  expect(Math.max(...backMs) - upMs).toBeLessThan(windowMs + 60_000);
  await reportAll();
  expect(readProcessUsage(manager.process.pid).anon_mb).toBeLessThan(before * 1.2);
  const { items } = await manager.client.servers.list({ query: { limit: 1000 } });
  expect(items).toHaveLength(agents);
}, 120_000);
