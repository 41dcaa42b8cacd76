import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  requestThrough,
  startFleet,
  watchEngine,
  writeTokenFile,
  type AgentProcess,
  type Fleet,
} from '../src/index.ts';

jest.setTimeout(180_000);
const any = { 'if-match': '*' };

async function joinSecond({ dir, manager }: Fleet): Promise<AgentProcess> {
  await mkdir(dir.file('second'), { recursive: true });
  const agent = createAgentProcess({ dir: dir.file('second') });
  const { token } = await manager.client.joinTokens.create({ body: { name: 'second' } });
  const tokenFile = await writeTokenFile(path.join(dir.path, 'second-token'), token);
  const { code, stderr } = await agent.command('join', manager.url, '--token-file', tokenFile);
  if (code !== 0) throw new Error(stderr);
  await agent.start();
  return agent;
}

const answers = async ({ origin }: Fleet, proxyPort: number): Promise<boolean> =>
  await requestThrough({ proxyPort, url: origin.url }).then(
    ({ body }) => body === 'origin-ok',
    () => false,
  );

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`never ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test('a setting of one server arrives at its engine and not at the other’s, and an override goes back by itself', async () => {
  await using fleet = await startFleet();
  const { client } = fleet.manager;
  const [port = 0, other = 0] = await freePorts(2);
  const inbounds = (listen_port: number) => [{ listen_port }];
  await client.settings.update({
    params: { scope: 'server:second' },
    headers: any,
    body: { values: { inbounds: inbounds(port), log_level: 'error' } },
  });
  await using _second = await joinSecond(fleet);
  await client.configs.deploy({ params: { id: 'main' }, body: { servers: ['server', 'second'] } });
  await until('served by the second server', async () => await answers(fleet, port));
  expect(await fleet.request()).toBe('origin-ok');
  const shown = await fleet.manager.command('settings', 'explain', 'inbounds', '--of', 'main', '--server', 'second');
  expect(shown.stdout).toContain('▶ server:second');

  // What is for the second server leaves the first alone: the same process, and connections through it go on.
  using engine = await watchEngine(fleet);
  await client.settings.createOverride({
    body: { scope: 'server:second', key: 'inbounds', value: inbounds(other), ttl: '30s', reason: 'a test' },
  });
  await until('served at the port of the override', async () => await answers(fleet, other));
  // Until the engine before it has drained.
  await until('left the port before', async () => !(await answers(fleet, port)));
  expect((await client.settings.listOverrides({ query: {} })).items).toHaveLength(1);
  await until('back', async () => await answers(fleet, port));
  await until('left the port of the override', async () => !(await answers(fleet, other)));
  expect((await client.settings.listOverrides({ query: {} })).items).toEqual([]);
  await engine.assertUntouched();
});
