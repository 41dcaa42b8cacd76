import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import {
  createAgentProcess,
  freePorts,
  openStreamThrough,
  openTestDirectory,
  pinnedSingBox,
  requestThrough,
  startFleet,
  startManagerProcess,
  startOrigin,
  startProvider,
  watchEngine,
} from '../src/index.ts';

const bundleIn = (dir: { file(...parts: string[]): string }, name: string): string => dir.file(`${name}.sbox.tar`);

/** A manager with two servers that never see it; the bundles of both and a newer one of the first, and then it is gone. */
async function makeBundles() {
  await using starting = new AsyncDisposableStack();
  const dir = starting.use(openTestDirectory('bundle'));
  const origin = starting.use(await startOrigin());
  const provider = starting.use(await startProvider({ singBox: pinnedSingBox(), dir: dir.file('provider') }));
  const manager = starting.use(await startManagerProcess({ dir: dir.file('manager') }));
  const { client } = manager;
  const [proxyPort = 0] = await freePorts(1);

  const added = await manager.command('server', 'add', 'island', '--offline', '-o', 'json');
  expect(added).toMatchObject({ code: 0 });
  const { pin } = JSON.parse(added.stdout) as { pin: string };
  await client.servers.add({ body: { name: 'other' } });
  await client.subscriptions.add({
    body: { name: 'provider', source: { type: 'url', url: provider.url }, refresh_every: '0' },
  });
  await client.configs.create({
    body: {
      name: 'main',
      subscriptions: ['provider'],
      settings: {
        inbounds: [{ listen_port: proxyPort }],
        urltest: { url: origin.probeUrl },
        probe: { urls: [origin.probeUrl, origin.url] },
        watch: '300ms',
      },
    },
  });
  const bundle = async (server: string, name: string): Promise<void> => {
    await client.configs.deploy({ params: { id: 'main' }, body: { servers: [server] } });
    expect(await manager.command('server', 'bundle', server, '--file', bundleIn(dir, name))).toMatchObject({ code: 0 });
  };
  await bundle('island', 'first');
  await bundle('other', 'other');
  provider.setBody('renamed');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  await client.configs.generate({ params: { id: 'main' }, body: {} });
  await bundle('island', 'newer');
  await manager.kill();
  const running = starting.move();
  return { dir, origin, pin, proxyPort, [Symbol.asyncDispose]: async () => await running.disposeAsync() };
}

/** Changes one byte so many bytes after a text. */
function flip(archive: Buffer, after: string, distance: number): Buffer {
  const at = archive.indexOf(after) + after.length + distance;
  const flipped = Buffer.from(archive);
  flipped.set([archive[at] === 65 ? 66 : 65], at);
  return flipped;
}

test('scenario 27: a server that never saw its manager lives on bundles, and believes only the right ones', async () => {
  await using made = await makeBundles();
  const { dir, origin, pin, proxyPort } = made;
  const first = bundleIn(dir, 'first');
  await using agent = createAgentProcess({ dir: dir.file('agent') });

  const unpinned = await agent.command('import', first, '-o', 'json');
  expect(unpinned).toMatchObject({ code: 5, stderr: expect.stringContaining('"agent.not-joined"') });
  const mispinned = await agent.command('import', first, '--pin', `sha256:${'0'.repeat(64)}`, '-o', 'json');
  expect(mispinned).toMatchObject({ code: 4, stderr: expect.stringContaining('"manager.untrusted"') });
  expect(existsSync(dir.file('agent/state/identity.json'))).toBe(false);
  const imported = await agent.command('import', first, '--pin', pin, '-o', 'json');
  expect(imported).toMatchObject({ code: 0, stdout: expect.stringContaining('"waiting"') });

  await agent.start();
  const began = await agent.until('committed', ({ phase }) => phase === 'committed');
  expect(began).toMatchObject({ manager: null, running: { generation: 1, source: 'bundle' }, nack: null });
  const answer = async (): Promise<string> => (await requestThrough({ proxyPort, url: origin.url })).body;
  expect(await answer()).toBe('origin-ok');

  await copyFile(bundleIn(dir, 'newer'), dir.file('agent/import.d/newer.sbox.tar'));
  await agent.until('on the newer one', ({ phase, running }) => phase === 'committed' && running?.generation === 2);
  expect(await answer()).toBe('origin-ok');

  using watch = await watchEngine({
    agent,
    stream: async () => await openStreamThrough({ proxyPort, url: origin.streamUrl }),
  });
  const newer = await readFile(bundleIn(dir, 'newer'));
  const refused = {
    'manifest.stale': await readFile(first),
    'manifest.wrong-server': await readFile(bundleIn(dir, 'other')),
    'manifest.signature-invalid': flip(newer, '"payloadType": "application/vnd.sbox.manifest+json"', 200),
    'manager.untrusted': flip(newer, '"root_key": "', 20),
    'blob.digest-mismatch': flip(newer, 'blobs/sha256/', 900),
    'bundle.invalid': newer.subarray(0, Math.floor(newer.length / 2)),
  };
  for (const [code, content] of Object.entries(refused)) {
    await writeFile(dir.file(`agent/import.d/${code}.tar`), content, { mode: 0o600 });
    const { nack } = await agent.until(`refusing with ${code}`, (status) => status.nack?.code === code);
    expect(nack).toMatchObject({ message: expect.any(String) });
    const { items } = await agent.local.events();
    expect(items[0]).toMatchObject({ type: 'import.refused', data: { file: `${code}.tar`, code } });
  }
  const older = await agent.command('import', first, '-o', 'json');
  expect(older).toMatchObject({ code: 5, stderr: expect.stringContaining('"manifest.stale"') });
  await watch.assertUntouched();
  expect(await agent.local.status()).toMatchObject({ running: { generation: 2, source: 'bundle' } });
});

test('a server that joined takes a newer bundle while its manager is away, and both agree when it is back', async () => {
  await using fleet = await startFleet({ watch: '300ms' });
  const { agent, manager, provider, dir } = fleet;
  const { client } = manager;
  await agent.kill();
  provider.setBody('renamed');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.untilServer('told of generation 2', ({ desired }) => desired?.generation === 2);
  const bundle = bundleIn(dir, 'newer');
  expect(await manager.command('server', 'bundle', 'server', '--file', bundle)).toMatchObject({ code: 0 });
  await manager.kill();

  await agent.start();
  await agent.until('running', ({ running, units }) => running?.generation === 1 && units[0]?.state === 'running');
  expect(await agent.command('import', bundle, '-o', 'json')).toMatchObject({ code: 0 });
  await agent.until('committed', ({ phase, running }) => phase === 'committed' && running?.generation === 2);
  expect(await fleet.request()).toBe('origin-ok');
  const pid = await agent.enginePid();

  await manager.restart();
  const server = await fleet.untilServer('healthy', ({ state }) => state === 'healthy');
  expect(server).toMatchObject({
    desired: { generation: 2 },
    // The manager's copy of the same order may have come by then; it changes nothing but where the order came from.
    status: { running: { generation: 2, source: expect.stringMatching(/^(bundle|manager)$/) } },
  });
  expect(await agent.enginePid()).toBe(pid);
  const { items } = await client.deployments.list();
  expect(items[0]).toMatchObject({ version: 2, state: 'succeeded' });

  provider.setBody('good');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  const status = await agent.until(
    'following the manager again',
    ({ phase, running }) => phase === 'committed' && running?.generation === 3,
  );
  expect(status).toMatchObject({ running: { source: 'manager' }, nack: null });
  expect(await fleet.request()).toBe('origin-ok');
});
