import { expect, test } from '@jest/globals';
import { startFleet } from '../src/index.ts';

test('the provider changes: the proxy follows, without a moment in which its port is closed', async () => {
  await using fleet = await startFleet();
  const { agent, manager, provider } = fleet;
  expect(await fleet.request()).toBe('origin-ok');

  await provider.rotateNodes();
  await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  const status = await agent.until(
    'committed anew',
    ({ phase, running }) => phase === 'committed' && running?.generation === 2,
  );
  expect(status).toMatchObject({ nack: null, units: [{ state: 'running', reload: { strategy: 'overlap' } }] });
  expect(await fleet.request()).toBe('origin-ok');
  expect(await manager.client.configs.get({ params: { id: 'main' } })).toMatchObject({ version: 2 });
});

test('nothing changed: no new version, and nothing is touched', async () => {
  await using fleet = await startFleet();
  using stream = await fleet.stream();
  const { client } = fleet.manager;
  expect(await client.subscriptions.refresh({ params: { id: 'provider' } })).toMatchObject({ outcome: 'not-modified' });
  expect(await client.configs.generate({ params: { id: 'main' }, body: {} })).toMatchObject({
    created: false,
    version: { version: 1 },
  });
  expect(await fleet.deploy()).toMatchObject({ state: 'succeeded' });
  await stream.nextBytes();
  expect(stream.isOpen).toBe(true);
});

test('a rollback is a new version with the old content', async () => {
  await using fleet = await startFleet();
  const { client } = fleet.manager;
  fleet.provider.setBody('renamed');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.agent.until('on version 2', ({ phase, running }) => phase === 'committed' && running?.generation === 2);
  const made = await client.configs.rollback({ params: { id: 'main' }, body: { version: 1 } });
  expect(made).toMatchObject({ version: 3, rollback_of: 1 });
  expect(await fleet.deploy()).toMatchObject({ state: 'succeeded' });
  const first = await client.configs.version({ params: { id: 'main', version: '1' } });
  expect(made.renditions.map(({ digest }) => digest)).toEqual(first.renditions.map(({ digest }) => digest));
  expect(await fleet.request()).toBe('origin-ok');
});
