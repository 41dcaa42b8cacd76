import { cp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  openTestDirectory,
  startFleet,
  startManagerProcess,
  startTamperingProxy,
  watchEngine,
  writeTokenFile,
  type Fleet,
  type ManagerProcess,
  type TamperingProxy,
  type WireAnswer,
} from '../../src/index.ts';

const pollMs = 50;

async function until(what: string, look: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`not ${what} after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

const addressesOf = async (fleet: Fleet): Promise<string> =>
  await readFile(fleet.dir.file('agent/state/addresses.json'), 'utf8').catch(() => '');

/** When a manifest that goes over the wire was signed; both sides have the clock of this machine. */
function issuedMs({ body }: WireAnswer): number {
  const { payload } = JSON.parse(body.toString()) as { payload: string };
  return Date.parse((JSON.parse(Buffer.from(payload, 'base64').toString()) as { issued_at: string }).issued_at);
}

/** Deploys the newest version by the manager that is there now, and waits until the server has committed it. */
async function publishBy({ client }: ManagerProcess, fleet: Fleet): Promise<void> {
  const { version } = await client.configs.get({ params: { id: fleet.configId } });
  const links = fleet.provider.nodes.map(({ link }) => `${link}${String(version)}`);
  fleet.provider.setBody({ body: links.join('\n') });
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  const before = (await fleet.agent.local.status()).running?.generation ?? 0;
  await fleet.agent.until('on the next generation', ({ committed }) => (committed?.generation ?? 0) > before);
}

/** Where the agent is killed on its way from one address to the other. */
const steps = [
  { at: 'nowhere', isThere: undefined, isUp: true },
  // Nobody listens there yet, so that it stays at this step.
  { at: 'when it heard of the new address', isThere: /"candidates":\["/, isUp: false },
  { at: 'when it was there', isThere: /"learned":\["/, isUp: true },
] as const;

test.each(steps)(
  'a manager moves to another port, and the agent, killed $at, goes with it',
  async ({ isThere, isUp }) => {
    await using fleet = await startFleet({ tls: true, agent: { SYNC_RESYNC: '500ms' } });
    using watch = await watchEngine(fleet);
    const dir = fleet.dir.file('manager');
    const old = new URL(fleet.manager.url).port;
    const [next = 0] = await freePorts(1);
    const serveOn = async (...ports: (string | number)[]): Promise<ManagerProcess> => {
      const settings = {
        LISTEN: JSON.stringify(ports.map((port) => ({ address: `127.0.0.1:${port}`, tls: 'on' }))),
        AGENTS_URLS: JSON.stringify([`https://127.0.0.1:${next}`]),
      };
      return await startManagerProcess({ dir, tls: true, settings });
    };
    await fleet.manager.kill();
    {
      await using _told = await serveOn(old, ...(isUp ? [next] : []));
      if (isThere) {
        await until('at that step', async () => isThere.test(await addressesOf(fleet)));
        await fleet.agent.kill();
        await fleet.agent.start();
      }
    }
    {
      await using _both = await serveOn(old, next);
      await until('it has moved', async () => /"learned":\["/.test(await addressesOf(fleet)));
    }
    await using moved = await serveOn(next);
    await fleet.agent.until('back', ({ manager }) => manager?.reachable === true && manager.url.endsWith(`:${next}`));
    await watch.assertUntouched();
    await publishBy(moved, fleet);
    expect(await fleet.request()).toBe('origin-ok');
  },
  90_000,
);

test('scenario 4: an agent that is frozen counts as offline after three heartbeats and ten seconds, and comes back', async () => {
  await using fleet = await startFleet({ manager: { AGENTS_HEARTBEAT: '1s' } });
  await fleet.agent.until('on a socket', ({ manager }) => manager?.transport === 'websocket');
  fleet.agent.process.kill('SIGSTOP');
  const stoppedMs = performance.now();
  try {
    await fleet.untilServer('offline', ({ state }) => state === 'offline', 20_000);
    // The manager looks at its servers every five seconds.
    expect(performance.now() - stoppedMs).toBeLessThan(3 * 1000 + 10_000 + 5000 + 1000);
  } finally {
    fleet.agent.process.kill('SIGCONT');
  }
  await fleet.untilServer('healthy again', ({ state }) => state === 'healthy');
}, 120_000);

test('scenario 5: a proxy that lets no socket through: questions are held, and news takes no second', async () => {
  let wire: TamperingProxy | undefined;
  await using fleet = await startFleet({
    between: async (managerUrl) => (wire = await startTamperingProxy(managerUrl)),
  });
  await fleet.agent.until('on a socket', ({ manager }) => manager?.transport === 'websocket');
  wire?.refuseSockets();
  await fleet.agent.until('on held questions', ({ manager }) => manager?.transport === 'long-poll');
  const isHeld = (): boolean => {
    const question = wire?.requests.findLast(({ path: asked }) => asked.endsWith('/desired'));
    return question?.headers['prefer']?.toString().startsWith('wait=') ?? false;
  };
  await until('a question is held', async () => await Promise.resolve(isHeld()));
  const tries = wire?.requests.filter(({ path: asked }) => asked.endsWith('/stream')).length ?? 0;
  const lagsMs: number[] = [];
  wire?.lie((answer, { path: asked }) => {
    if (asked.endsWith('/desired') && answer.status === 200) lagsMs.push(Date.now() - issuedMs(answer));
    return answer;
  });
  fleet.provider.setBody('renamed');
  await fleet.publish();
  await fleet.agent.until('on it', ({ committed }) => committed?.generation === 2);
  expect(lagsMs.length).toBeGreaterThan(0);
  expect(Math.min(...lagsMs)).toBeLessThan(1000);
  const later = wire?.requests.filter(({ path: asked }) => asked.endsWith('/stream')).length ?? 0;
  expect(later - tries).toBeLessThanOrEqual(2);
}, 120_000);

test('scenario 24: a copied identity is told apart from a restart: the first machine goes on, the second is refused', async () => {
  await using dir = openTestDirectory('cloned');
  await using manager = await startManagerProcess({ dir: dir.file('manager') });
  const { token } = await manager.client.joinTokens.create({ body: { name: 'server' } });
  const settings = { SYNC_HEARTBEAT: '500ms' };
  await using first = createAgentProcess({ dir: dir.file('first'), settings });
  await first.command('join', manager.url, '--token-file', await writeTokenFile(dir.file('token'), token));
  await first.start();
  await first.until('known', ({ manager: view }) => view?.reachable === true);
  for (const name of ['identity.json', 'agent.key', 'trust.json'])
    await cp(dir.file(path.join('first/state', name)), dir.file(path.join('second/state', name)));
  await using second = createAgentProcess({ dir: dir.file('second'), settings });
  await second.start();
  const refused = await second.until('refused', ({ manager: view, conditions }) => {
    const reachable = conditions.find(({ type }) => type === 'ManagerReachable');
    return view?.reachable === false && reachable?.message.includes('another machine') === true;
  });
  expect(refused.manager?.next_try_at).not.toBeNull();
  await first.until('still known', ({ manager: view }) => view?.reachable === true);
  const { items } = await manager.client.events.list({});
  expect(items.filter(({ type }) => type === 'server.identity-cloned')).toHaveLength(1);
}, 120_000);

test('scenario 28: a manager restored from yesterday moves nobody back; once its epoch is raised, all follow it', async () => {
  await using fleet = await startFleet({ agent: { SYNC_RESYNC: '500ms' } });
  const dir = fleet.dir.file('manager');
  const port = Number(new URL(fleet.manager.url).port);
  await fleet.manager.kill();
  await cp(dir, fleet.dir.file('backup'), { recursive: true });
  {
    await using today = await startManagerProcess({ dir, port });
    await publishBy(today, fleet);
  }
  const { running } = await fleet.agent.local.status();
  using watch = await watchEngine(fleet);
  await rm(dir, { recursive: true });
  await cp(fleet.dir.file('backup'), dir, { recursive: true });
  {
    await using yesterday = await startManagerProcess({ dir, port });
    const { nack } = await fleet.agent.until('refusing', ({ nack: now }) => now?.code === 'manifest.stale');
    expect(nack?.stage).toBe('verify');
    await until('shown', async () => {
      const server = await yesterday.client.servers.get({ params: { id: fleet.serverId } });
      return server.state === 'degraded' && server.status?.observed?.generation === running?.generation;
    });
    expect((await fleet.agent.local.status()).running).toEqual(running);
    await watch.assertUntouched();
  }
  await using _raised = await startManagerProcess({ dir, port, settings: { EPOCH: '2' } });
  await fleet.agent.until('on the new epoch', ({ committed, nack }) => committed?.epoch === 2 && nack === null);
  expect(await fleet.request()).toBe('origin-ok');
}, 180_000);
