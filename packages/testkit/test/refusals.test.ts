import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { startFleet, type Fleet } from '../src/index.ts';

/** Whatever was refused: the engine is the same process, and connections through it live. */
async function expectUntouched(
  fleet: Fleet,
  change: () => Promise<{ state: string; code: string | null; detail: string | null }>,
) {
  const pid = await fleet.agent.enginePid();
  using stream = await fleet.stream();
  const verdict = await change();
  expect(verdict.state).toBe('halted');
  await stream.nextBytes();
  expect(stream.isOpen).toBe(true);
  expect(await fleet.agent.enginePid()).toBe(pid);
  expect(await fleet.request()).toBe('origin-ok');
  expect((await fleet.agent.local.status()).running).toMatchObject({ generation: 1 });
  return verdict;
}

test('scenario 11: a port that another program holds: refused with its name, nothing is touched', async () => {
  await using fleet = await startFleet();
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as AddressInfo;
  const { client } = fleet.manager;
  await client.configs.update({
    params: { id: 'main' },
    headers: { 'if-match': '*' },
    body: { settings: { inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }] } },
  });
  await client.configs.generate({ params: { id: 'main' }, body: {} });
  const verdict = await expectUntouched(fleet, async () => await fleet.deploy());
  other.close();
  expect(verdict.code).toBe('unit.port-in-use');
  expect(verdict.detail).toContain(String(port));
  const server = await client.servers.get({ params: { id: 'server' } });
  expect(server).toMatchObject({
    state: 'degraded',
    status: { nack: { code: 'unit.port-in-use', sticky: false, generation: 2 } },
  });
});

test('scenario 12: nodes that answer nobody: refused by the trial, nothing is touched, and tried again by itself', async () => {
  await using fleet = await startFleet();
  fleet.provider.setBody('wrong-secrets');
  const { client } = fleet.manager;
  const verdict = await expectUntouched(fleet, async () => {
    await client.configs.update({ params: { id: 'main' }, headers: { 'if-match': '*' }, body: { auto_deploy: false } });
    await client.subscriptions.refresh({ params: { id: 'provider' } });
    await client.configs.generate({ params: { id: 'main' }, body: {} });
    return await fleet.deploy();
  });
  expect(verdict.code).toBe('trial.probe-failed');
  const { nack } = await fleet.agent.local.status();
  expect(nack).toMatchObject({ stage: 'trial', sticky: false, retry_at: expect.any(String) });
});

test('an outage of the provider during a trial blocks nothing for good', async () => {
  await using fleet = await startFleet();
  const { client } = fleet.manager;
  fleet.provider.setBody('renamed');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.agent.until(
    'on generation 2',
    ({ phase, running }) => phase === 'committed' && running?.generation === 2,
  );
  await fleet.provider.stopNodes();
  fleet.provider.setBody('good');
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.agent.until('refused or waiting', ({ nack, observed }) => nack !== null || observed?.generation === 3);
  await fleet.provider.startNodes();
  // A new deployment of the same version lifts the wait.
  expect(await fleet.deploy()).toMatchObject({ state: 'succeeded' });
  expect(await fleet.request()).toBe('origin-ok');
});

test('scenario 13: a version that crashes after it was committed is taken back', async () => {
  await using fleet = await startFleet();
  const { agent, manager, provider } = fleet;
  provider.setBody('renamed');
  await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  await agent.until('on generation 2', ({ phase, running }) => phase === 'committed' && running?.generation === 2);
  // The engine is made to crash: five unexpected ends within two minutes.
  for (let crashes = 0; crashes < 5; crashes += 1) {
    const { units } = await agent.until(
      'running',
      ({ units: now }) => now[0]?.pid !== null && now[0]?.pid !== undefined,
      20_000,
    );
    process.kill(units[0]?.pid ?? 0, 'SIGKILL');
    await agent.until('aware of it', ({ units: now }) => now[0]?.pid !== units[0]?.pid, 20_000);
  }
  const status = await agent.until(
    'back on generation 1',
    ({ running, nack }) => running?.generation === 1 && nack !== null,
    30_000,
  );
  expect(status.nack).toMatchObject({ code: 'engine.crash-loop', generation: 2, sticky: true });
  expect(await fleet.request()).toBe('origin-ok');
  const server = await manager.client.servers.get({ params: { id: 'server' } });
  expect(server.state).toBe('degraded');
}, 120_000);

const broken = {
  'a selector with a missing member': {
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 0 }],
    outbounds: [{ type: 'selector', tag: 's', outbounds: ['nobody'] }],
  },
  'a port that is there twice': {
    inbounds: [
      { type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: 0 },
      { type: 'mixed', tag: 'again', listen: '127.0.0.1', listen_port: 0 },
    ],
    outbounds: [{ type: 'direct', tag: 'direct' }],
  },
  'a key that the engine does not know': { inbounds: [], outbounds: [{ type: 'direct', tag: 'direct', surprise: 1 }] },
};

test('scenario 10: files that would end the engine are refused, one after another', async () => {
  await using fleet = await startFleet({ agent: { IMPORT_ALLOW_UNSIGNED: 'true', IMPORT_AFTER: '0' } });
  const { agent } = fleet;
  const pid = await agent.enginePid();
  using stream = await fleet.stream();
  await fleet.manager.kill();
  const { writeFile } = await import('node:fs/promises');
  for (const [name, config] of Object.entries(broken)) {
    const text = JSON.stringify(config).replaceAll('"listen_port":0', `"listen_port":${fleet.proxyPort}`);
    await writeFile(fleet.dir.file('agent/import.d/local.json'), text, { mode: 0o600 });
    const { nack } = await agent.until(
      `refusing ${name}`,
      (status) => status.nack?.message !== undefined && status.nack.digest !== null && seen(status.nack.digest),
    );
    expect(nack?.message).toMatch(/nobody|is taken by|surprise/);
  }
  await stream.nextBytes();
  expect(await agent.enginePid()).toBe(pid);
  expect(await fleet.request()).toBe('origin-ok');
});

const digests = new Set<string>();
/** True for a refusal that was not there before. */
function seen(digest: string): boolean {
  if (digests.has(digest)) return false;
  digests.add(digest);
  return true;
}
