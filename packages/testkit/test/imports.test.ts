import { chmod, rename, symlink, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  openStreamThrough,
  openTestDirectory,
  requestThrough,
  startFleet,
  startOrigin,
  watchEngine,
  type AgentProcess,
  type Fleet,
} from '../src/index.ts';

/** A whole engine config that somebody wrote by hand; `note` makes its bytes others. */
const plainConfig = (port: number, note = '') => ({
  log: { level: 'warn' },
  inbounds: [{ type: 'mixed', tag: `in${note}`, listen: '127.0.0.1', listen_port: port }],
  outbounds: [{ type: 'direct', tag: 'direct' }],
});

const jsonOf = (port: number, note?: string): string => JSON.stringify(plainConfig(port, note), null, 2);

const yamlOf = (port: number): string =>
  [
    'log: {level: warn}',
    'inbounds:',
    '  - type: mixed',
    '    tag: in-yaml',
    '    listen: 127.0.0.1',
    `    listen_port: ${port}`,
    'outbounds:',
    '  - {type: direct, tag: direct}',
    '',
  ].join('\n');

/** Whole at once, as a careful hand does it. */
async function drop(file: string, text: string, mode = 0o600): Promise<void> {
  await writeFile(`${file}.tmp`, text, { mode });
  await chmod(`${file}.tmp`, mode);
  await rename(`${file}.tmp`, file);
}

const untilListening = async (agent: AgentProcess, port: number) =>
  await agent.until(`committed on port ${port}`, ({ phase, units }) => {
    return phase === 'committed' && units[0]?.listens[0]?.address === `127.0.0.1:${port}`;
  });

test('a server that never joined takes JSON and YAML at once, and only files that nobody else could have written', async () => {
  await using dir = openTestDirectory('imports');
  await using origin = await startOrigin();
  const [first = 0, second = 0, third = 0] = await freePorts(3);
  await using agent = createAgentProcess({
    dir: dir.file('agent'),
    settings: { IMPORT_PROBE_URLS: JSON.stringify([origin.url]), IMPORT_WATCH: '200ms' },
  });
  const inbox = (name: string): string => dir.file('agent/import.d', name);
  await agent.start();
  expect(await agent.local.status()).toMatchObject({ server_id: null, manager: null, running: null, phase: 'idle' });

  await drop(inbox('proxy.json'), jsonOf(first));
  const status = await untilListening(agent, first);
  expect(status).toMatchObject({ running: { source: 'local', generation: 0 }, nack: null });
  expect((await requestThrough({ proxyPort: first, url: origin.url })).body).toBe('origin-ok');
  await drop(inbox('proxy.yaml'), yamlOf(second));
  await untilListening(agent, second);
  expect((await requestThrough({ proxyPort: second, url: origin.url })).body).toBe('origin-ok');

  using watch = await watchEngine({
    agent,
    stream: async () => await openStreamThrough({ proxyPort: second, url: origin.streamUrl }),
  });
  const untilRefused = async (file: string, why: RegExp): Promise<void> => {
    await agent.until(`refusing ${file}`, ({ nack }) => nack?.code === 'import.unsafe-file' && why.test(nack.message));
    const { items } = await agent.local.events();
    expect(items[0]).toMatchObject({ type: 'import.refused', data: { file, code: 'import.unsafe-file' } });
    await watch.assertUntouched();
  };
  await writeFile(dir.file('elsewhere.json'), jsonOf(third), { mode: 0o600 });
  await symlink(dir.file('elsewhere.json'), inbox('link.json'));
  await untilRefused('link.json', /link\.json is a symbolic link/);
  await drop(inbox('open.json'), jsonOf(third), 0o666);
  await untilRefused('open.json', /open\.json may be written by its group or by others/);

  // Half a file that lies still: refused for what it is, and taken when the rest comes.
  const text = jsonOf(third);
  await writeFile(inbox('half.json'), text.slice(0, text.length >> 1), { mode: 0o600 });
  await agent.until('refusing half of it', ({ nack }) => nack !== null && nack.code !== 'import.unsafe-file');
  await watch.assertUntouched();
  await writeFile(inbox('half.json'), text, { mode: 0o600 });
  await untilListening(agent, third);
  expect((await requestThrough({ proxyPort: third, url: origin.url })).body).toBe('origin-ok');
});

/** Publishes the same nodes with another rule for the manager's return. */
async function publishOnReturn({ manager, deploy }: Fleet, on_return: string): Promise<void> {
  const { client } = manager;
  const headers = { 'if-match': '*' };
  await client.configs.update({ params: { id: 'main' }, headers, body: { settings: { on_return } } });
  await client.configs.generate({ params: { id: 'main' }, body: {} });
  expect(await deploy()).toMatchObject({ state: 'succeeded' });
}

const awayMs = 700;

test('a server that joined takes a plain file only when it is allowed to and the manager is long away', async () => {
  await using fleet = await startFleet({ watch: '200ms' });
  const { agent: careful, manager, proxyPort } = fleet;
  const { client } = manager;
  const file = fleet.dir.file('agent/import.d/local.json');
  const subscriptions = async (): Promise<string[]> =>
    (await client.subscriptions.list()).items.map(({ name }) => name);

  using watch = await watchEngine(fleet);
  await drop(file, jsonOf(proxyPort));
  await careful.until('refusing it', ({ nack }) => nack?.code === 'import.not-allowed');
  expect(await careful.local.status()).toMatchObject({ running: { source: 'manager', generation: 1 } });
  await watch.assertUntouched();
  await careful.kill();

  await using agent = createAgentProcess({
    dir: fleet.dir.file('agent'),
    settings: { IMPORT_ALLOW_UNSIGNED: 'true', IMPORT_AFTER: `${awayMs}ms` },
  });
  await agent.start();
  const isReachable = (is: boolean) => agent.until('in touch or not', (now) => now.manager?.reachable === is);
  const untilLocal = async () =>
    await agent.until('on the file', ({ phase, running }) => phase === 'committed' && running?.source === 'local');
  const untilManagers = async (generation: number) =>
    await agent.until('on what the manager wants', ({ phase, running }) => {
      return phase === 'committed' && running?.source === 'manager' && running.generation === generation;
    });

  // Allowed, but the manager is there: it waits. When it has been away long enough, the file is taken.
  await isReachable(true);
  expect(await agent.local.status()).toMatchObject({ running: { source: 'manager' }, nack: null });
  await watch.assertUntouched();
  await manager.kill();
  const { since = '' } = (await isReachable(false)).manager ?? {};
  await untilLocal();
  const { items } = await agent.local.events();
  const taken = items.find(({ type }) => type === 'import.taken');
  expect(Date.parse(taken?.timestamp ?? '') - Date.parse(since)).toBeGreaterThanOrEqual(awayMs);
  expect(await fleet.request()).toBe('origin-ok');

  // enforce, the default: the manager's version comes back.
  await manager.restart();
  await untilManagers(1);
  expect(await fleet.request()).toBe('origin-ok');
  expect(await subscriptions()).toEqual(['provider']);

  // adopt: the same, but what was written by hand is handed in first.
  await publishOnReturn(fleet, 'adopt');
  await manager.kill();
  await drop(file, jsonOf(proxyPort, '-adopted'));
  await untilLocal();
  await manager.restart();
  await untilManagers(2);
  const handedIn = (await subscriptions()).filter((name) => name !== 'provider');
  expect(handedIn).toEqual(['draft-server']);
  const shown = await client.subscriptions.get({ params: { id: 'draft-server' }, query: { reveal: true } });
  expect(JSON.stringify(shown.source)).toContain('in-adopted');

  // hold: it stays, and everybody sees that the server drifts; until somebody decides.
  await publishOnReturn(fleet, 'hold');
  await manager.kill();
  await drop(file, jsonOf(proxyPort, '-held'));
  await untilLocal();
  const pid = await agent.enginePid();
  await manager.restart();
  const drifting = await agent.until('drifting', ({ conditions }) => {
    return conditions.some(({ type, status }) => type === 'Drift' && status === 'true');
  });
  expect(drifting).toMatchObject({ running: { source: 'local' }, manager: { reachable: true } });
  expect(drifting.conditions).toContainEqual(
    expect.objectContaining({ type: 'Drift', message: expect.stringContaining('on_return: hold') }),
  );
  await fleet.untilServer('seen as drifting', ({ status }) => status?.running?.source === 'local');
  expect(await agent.enginePid()).toBe(pid);
  await publishOnReturn(fleet, 'enforce');
  await untilManagers(4);
  expect(await fleet.request()).toBe('origin-ok');
}, 120_000);
