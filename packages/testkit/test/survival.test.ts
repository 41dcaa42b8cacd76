import { expect, test } from '@jest/globals';
import { killProcessesUnder, processesUnder, startFleet } from '../src/index.ts';

test('scenario 18: the manager is killed, then the agent: the same engine goes on, and the connections through it', async () => {
  await using fleet = await startFleet();
  const { agent, manager } = fleet;
  const pid = await agent.enginePid();
  using stream = await fleet.stream();

  await manager.kill();
  expect(await fleet.request()).toBe('origin-ok');
  await agent.kill();
  expect(await fleet.request()).toBe('origin-ok');
  await agent.start();
  const status = await agent.until('running again', ({ units }) => units[0]?.state === 'running');
  expect(status).toMatchObject({ phase: 'committed', running: { generation: 1 }, units: [{ pid }] });
  expect((await agent.local.processes()).items).toMatchObject([{ pid, adopted: true }]);
  expect(status.units[0]?.restarts).toBe(0);
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'ManagerReachable', status: 'false' }));
  await stream.nextBytes();
  expect(stream.isOpen).toBe(true);

  await manager.restart();
  await agent.until('in touch again', ({ conditions }) =>
    conditions.some(({ type, status: is }) => type === 'ManagerReachable' && is === 'true'),
  );
  expect(await manager.client.servers.get({ params: { id: 'server' } })).toMatchObject({ state: 'healthy' });
});

test('scenario 1: a reboot with no manager: the proxy is back within five seconds', async () => {
  await using fleet = await startFleet();
  const { agent, manager } = fleet;
  const before = await agent.enginePid();
  await manager.kill();
  await agent.kill();
  await killProcessesUnder(fleet.dir.file('agent'));
  await expect(fleet.request()).rejects.toThrow();

  const startedAt = performance.now();
  await agent.start();
  const status = await agent.until(
    'serving again',
    ({ units }) => units[0]?.state === 'running' || units[0]?.state === 'watching',
  );
  expect(await fleet.request()).toBe('origin-ok');
  expect(performance.now() - startedAt).toBeLessThan(5000);
  expect(status.units[0]?.pid).not.toBe(before);
  const away = await agent.until('aware that nobody answers', ({ conditions }) =>
    conditions.some(({ type, status: is }) => type === 'ManagerReachable' && is === 'false'),
  );
  expect(away.conditions).toContainEqual(
    expect.objectContaining({ type: 'ManagerReachable', message: expect.stringMatching(/\S/) }),
  );
});

test('an agent that stops in order leaves its engine running, once', async () => {
  await using fleet = await startFleet();
  const { agent } = fleet;
  const pid = await agent.enginePid();
  agent.process.kill('SIGTERM');
  expect(await agent.process.exited).toMatchObject({ code: 0 });
  expect(await fleet.request()).toBe('origin-ok');
  await agent.start();
  await agent.until('running', ({ units }) => units[0]?.state === 'running');
  const engines = processesUnder(fleet.dir.file('agent')).filter(({ command }) => command.includes('sing-box'));
  expect(engines.map((engine) => engine.pid)).toEqual([pid]);
});

test('an engine that is killed is started again', async () => {
  await using fleet = await startFleet();
  const { agent } = fleet;
  const pid = (await agent.enginePid()) ?? 0;
  process.kill(pid, 'SIGKILL');
  const status = await agent.until(
    'running as another process',
    ({ units }) => units[0]?.state === 'running' && units[0].pid !== pid && units[0].pid !== null,
  );
  expect(status.units[0]?.restarts).toBeGreaterThanOrEqual(1);
  expect(await fleet.request()).toBe('origin-ok');
});
