import { setTimeout } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import { startFleet, type Fleet } from '../src/index.ts';

jest.setTimeout(120_000);

/** Another version than the one that runs. */
async function makeSecond({ manager }: Fleet): Promise<void> {
  const params = { id: 'main' };
  const body = { settings: { log_level: 'error' } };
  await manager.client.configs.update({ params, headers: { 'if-match': '*' }, body });
  await manager.client.configs.generate({ params, body: {} });
}

test('a deployment that asks to be confirmed is kept by servers that still reach the manager', async () => {
  await using fleet = await startFleet();
  await makeSecond(fleet);
  const { manager } = fleet;
  const started = performance.now();
  const deployed = await manager.command('config', 'deploy', 'main', '--confirm', '10s');
  expect(deployed).toMatchObject({ code: 0, stdout: expect.stringContaining('version 2: succeeded') });
  expect(deployed.stderr).toMatch(/ has been told\n(.*\n)?.* serves the new version, and watches it\n/);
  expect(performance.now() - started).toBeGreaterThan(9000);
  expect(await fleet.request()).toBe('origin-ok');
  const { items } = await manager.client.deployments.list({});
  expect(items[0]).toMatchObject({ state: 'succeeded', confirm_ms: 10_000 });
});

test('a version after which a server does not reach the manager is taken back, and the deployment is halted by it', async () => {
  await using fleet = await startFleet();
  await makeSecond(fleet);
  const { agent, manager } = fleet;
  expect(await manager.command('config', 'deploy', 'main', '--confirm', '10s', '--no-wait')).toMatchObject({ code: 0 });
  await agent.until('waiting to be confirmed', ({ confirm, running }) => {
    return confirm !== null && confirm !== undefined && running?.generation === 2;
  });
  await manager.kill();
  const back = await agent.until('back', ({ running, nack }) => running?.generation === 1 && nack !== null, 40_000);
  expect(back.nack).toMatchObject({ generation: 2, code: 'apply.unconfirmed', sticky: true });
  expect(await fleet.request()).toBe('origin-ok');

  await manager.restart();
  const { items } = await manager.client.deployments.list({});
  const id = items[0]?.id ?? '';
  const deadline = performance.now() + 30_000;
  for (;;) {
    const { state, reason } = await manager.client.deployments.get({ params: { id } });
    if (state !== 'running' || performance.now() > deadline) {
      expect({ state, reason }).toMatchObject({ state: 'halted', reason: { code: 'apply.unconfirmed' } });
      return;
    }
    await setTimeout(100);
  }
});
