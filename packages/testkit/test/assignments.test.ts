import { expect, jest, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  openTestDirectory,
  pinnedSingBox,
  requestThrough,
  startManagerProcess,
  startOrigin,
  startProvider,
  writeTokenFile,
  type AgentProcess,
} from '../src/index.ts';

jest.setTimeout(180_000);

const headers = { 'if-match': '*' };

/** A manager with two configs on two ports, and servers that joined it with nothing to run. */
async function openServers(names: readonly string[]) {
  await using starting = new AsyncDisposableStack();
  const dir = starting.use(openTestDirectory('assignments'));
  const origin = starting.use(await startOrigin());
  const provider = starting.use(await startProvider({ singBox: pinnedSingBox(), dir: dir.file('provider') }));
  const manager = starting.use(await startManagerProcess({ dir: dir.file('manager') }));
  const { client } = manager;
  const [edgePort = 0, sidePort = 0] = await freePorts(2);
  await client.subscriptions.add({
    body: { name: 'provider', source: { type: 'url', url: provider.url }, refresh_every: '0' },
  });
  for (const [name, listen_port] of [
    ['edge', edgePort],
    ['side', sidePort],
  ] as const) {
    await client.configs.create({
      body: {
        name,
        subscriptions: ['provider'],
        settings: {
          inbounds: [{ listen_port }],
          urltest: { url: origin.probeUrl },
          probe: { urls: [origin.probeUrl, origin.url], timeout: '2s' },
          watch: '500ms',
        },
      },
    });
  }
  const agents = new Map<string, AgentProcess>();
  for (const name of names) {
    const agent = starting.use(createAgentProcess({ dir: dir.file(name) }));
    const made = await manager.command('server', 'token', '--name', name, '--label', 'site=lab');
    const file = await writeTokenFile(dir.file(`${name}-token`), made.stdout.trim());
    const joined = await agent.command('join', manager.url, '--token-file', file);
    if (joined.code !== 0) throw new Error(joined.stderr);
    await agent.start();
    agents.set(name, agent);
  }
  const through = async (proxyPort: number): Promise<string> =>
    (await requestThrough({ proxyPort, url: origin.url })).body;
  const running = starting.move();
  return {
    manager,
    client,
    edgePort,
    sidePort,
    through,
    agent: (name: string): AgentProcess => agents.get(name) as AgentProcess,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

test('a label is enough: of three servers one gets the config by itself, then a second unit beside it', async () => {
  await using fleet = await openServers(['one', 'two', 'three']);
  const { manager, client } = fleet;
  const sboxmgr = async (...words: string[]) => {
    const ended = await manager.command(...words);
    expect({ words, code: ended.code, stderr: ended.code === 0 ? '' : ended.stderr }).toEqual({
      words,
      code: 0,
      stderr: '',
    });
    return ended;
  };
  await sboxmgr('assignment', 'create', 'edges', '--selector', 'role=edge', '--config', 'edge');
  // Before there is a server for it.
  expect((await sboxmgr('config', 'deploy', 'edge')).stdout).toContain('succeeded');
  await sboxmgr('server', 'edit', 'two', '--label', 'role=edge');
  await fleet.agent('two').until('committed', ({ phase }) => phase === 'committed');
  expect(await fleet.through(fleet.edgePort)).toBe('origin-ok');
  for (const name of ['one', 'three']) {
    expect(await client.servers.get({ params: { id: name } })).toMatchObject({
      desired: null,
      labels: { site: 'lab' },
    });
    expect(await fleet.agent(name).local.status()).toMatchObject({ running: null });
  }

  await sboxmgr('assignment', 'create', 'sides', '--selector', 'site=lab', '--unit', 'side', '--config', 'side');
  // One port on this machine: only one server may have it.
  await client.assignments.update({ params: { id: 'sides' }, headers, body: { selector: 'role=edge' } });
  expect((await sboxmgr('config', 'deploy', 'side')).stdout).toContain('two: committed');
  const both = await fleet.agent('two').until('both', ({ units }) => units.length === 2);
  expect(both.units.map(({ name, state }) => [name, state])).toEqual([
    ['main', 'running'],
    ['side', 'running'],
  ]);
  expect([await fleet.through(fleet.edgePort), await fleet.through(fleet.sidePort)]).toEqual([
    'origin-ok',
    'origin-ok',
  ]);

  // Not meant any more: it goes on, and is said to.
  await sboxmgr('server', 'edit', 'two', '--unlabel', 'role');
  const listed = await sboxmgr('assignment', 'servers', 'edges');
  expect(listed.stdout).toMatch(/two +no +edge@1 +healthy/);
  expect(await fleet.through(fleet.edgePort)).toBe('origin-ok');
});
