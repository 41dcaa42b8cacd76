import { expect, jest, test, describe } from '@jest/globals';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { createKeyPair } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { createClient, localRoutes } from '@sbox/protocol';
import { startAgent } from './agent.ts';
import { socketTransport } from './cli/local-client.ts';
import { eventually, openBench, untilRuns } from '../test/agent-bench.ts';
import { createTestCertificates } from '../test/certificates.ts';
import { createFakeReconciler } from '../test/fake-reconciler.ts';
import { startManagerDouble } from '../test/manager-double.ts';
import { configText, testManifest } from '../test/manifests.ts';

const clock = systemClock;
const one = configText('one');
const two = configText('two');

describe('joined to a manager', () => {
  test('it runs what the manager signs, follows the next generation, and says so', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start();
    await untilRuns(agent, 1);
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    expect(agent.fake.contents).toEqual([String(one), String(two)]);
    const last = await eventually('the verdict is reported', () =>
      manager.statuses.findLast(({ committed }) => committed?.generation === 2),
    );
    expect(last.conditions.find(({ type }) => type === 'ManagerReachable')?.status).toBe('true');
    expect(last.conditions.find(({ type }) => type === 'Reconciled')?.status).toBe('true');
    expect(new Set(manager.statuses.map(({ seq }) => seq)).size).toBe(manager.statuses.length);
  });

  test('the same over TLS with the CA that the token pins, also under an address that its certificate does not name', async () => {
    await using bench = await openBench();
    const certificates = await createTestCertificates(['manager.sbox.internal']);
    await using manager = await startManagerDouble({ clock, certificates });
    expect(manager.url).toMatch(/^https:/);
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true } }));
    await untilRuns(agent, 1);
    await eventually('the socket is open', () => manager.sockets.size === 1);
  });

  test('a manager with the right address and another certificate is not believed', async () => {
    await using bench = await openBench();
    const certificates = await createTestCertificates(['manager.sbox.internal']);
    let address = '';
    let id = '';
    {
      await using manager = await startManagerDouble({ clock, certificates });
      ({ server_id: id } = await bench.join(manager));
      address = new URL(manager.url).host;
    }
    await using impostor = await startManagerDouble({
      clock,
      address,
      certificates: await createTestCertificates(['manager.sbox.internal']),
    });
    impostor.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start();
    const status = await eventually('it was refused', () => {
      const { conditions } = agent.statusSource.status();
      return conditions.find(
        ({ type, message }) => type === 'ManagerReachable' && /certificate|self-signed/i.test(message),
      );
    });
    expect(status.status).toBe('false');
    expect(impostor.requests).toEqual([]);
  });

  test('hints over the socket are followed without waiting for the next question', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true, resync: '10m', wait: '50s' } }));
    await eventually('the socket is open', () => manager.sockets.size === 1);
    await untilRuns(agent, 1);
    await eventually(
      'questions are not held any more',
      () => manager.requests.findLast(({ path: asked }) => asked.endsWith('desired'))?.prefer === undefined,
    );
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    await eventually('a heartbeat came', () => manager.frames.find(({ type }) => type === 'heartbeat'));
  });

  test('scenario 5: without a socket it falls back to held questions', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock, hasSocket: false });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start(bench.settings({ sync: { socket: true, socket_retry: '100ms' } }));
    await untilRuns(agent, 1);
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    expect(manager.requests.some(({ prefer }) => prefer?.startsWith('wait='))).toBe(true);
    expect(manager.sockets.size).toBe(0);
    manager.hasSocket = true;
    await eventually('the socket is tried again', () => manager.sockets.size === 1);
  });

  test('a server without a config waits for one', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    await using agent = await bench.start();
    await eventually('it has reported', () => manager.statuses.length > 0);
    manager.publish(testManifest(id, 1, one), [one]);
    await untilRuns(agent, 1);
  });
});

test('an agent that runs already follows a join', async () => {
  await using bench = await openBench();
  await using manager = await startManagerDouble({ clock });
  await using agent = await bench.start();
  const { server_id: id } = await bench.join(manager);
  manager.publish(testManifest(id, 1, one), [one]);
  await untilRuns(agent, 1);
  expect(agent.identity?.server_id).toBe(id);
});

test('damaged files of identity or trust cost the manager, never what runs', async () => {
  await using bench = await openBench();
  await using manager = await startManagerDouble({ clock });
  await bench.join(manager);
  await writeFile(path.join(bench.stateDir, 'trust.json'), '{"root_key":"x"}');
  await using agent = await bench.start();
  const { conditions } = agent.statusSource.status();
  expect(conditions.find(({ type }) => type === 'ManagerReachable')).toMatchObject({
    status: 'false',
    message: expect.stringContaining('trust.json'),
  });
});

test('a state directory that others may write to is not used', async () => {
  await using bench = await openBench();
  await mkdir(bench.stateDir);
  await chmod(bench.stateDir, 0o777);
  await expect(bench.start()).rejects.toMatchObject({ code: 'settings.unsafe' });
});

describe('what must not be obeyed', () => {
  const refusals = [
    [
      'signed by a key that nobody trusts (scenario 7)',
      'manifest.unknown-key',
      (id: string) => [testManifest(id, 2, two), createKeyPair()] as const,
    ],
    ['for another server', 'manifest.wrong-server', () => [testManifest('srv_other', 2, two), undefined] as const],
    [
      'older than what was accepted (scenario 8)',
      'manifest.stale',
      (id: string) => [testManifest(id, 1, two, { epoch: 1, generation: 1 }), undefined] as const,
    ],
    [
      'for a newer agent',
      'manifest.agent-too-old',
      (id: string) => [testManifest(id, 9, two, { min_agent: '99.0.0' }), undefined] as const,
    ],
    [
      'expired before it came',
      'manifest.expired',
      (id: string) => [testManifest(id, 9, two, { not_after: '2020-01-01T00:00:00Z' }), undefined] as const,
    ],
    [
      'with a feature that must be understood',
      'manifest.agent-too-old',
      (id: string) => [testManifest(id, 9, two, { critical: ['time-travel'] }), undefined] as const,
    ],
    [
      'of a form that this agent does not know',
      'manifest.invalid',
      (id: string) => [testManifest(id, 9, two, { units: 'all' as never }), undefined] as const,
    ],
  ] as const;
  test.each(refusals)('a manifest %s is refused with %s and changes nothing', async (_, code, make) => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 5, one), [one]);
    await using agent = await bench.start();
    await untilRuns(agent, 5);
    const [manifest, signer] = make(id);
    manager.publish(manifest, [two], signer);
    const refused = await eventually('the refusal is reported', () =>
      manager.statuses.find(({ nack }) => nack?.code === code),
    );
    expect(refused.nack).toMatchObject({ stage: 'verify', epoch: 1, generation: manifest.generation });
    expect(refused.running?.generation).toBe(5);
    expect(agent.fake.offered.map(({ manifest: { generation } }) => generation)).toEqual([5]);
    manager.publish(testManifest(id, 10, two), [two]);
    await eventually('the next good one is taken', () => agent.fake.state.running?.generation === 10);
    await eventually('the refusal is gone', () => manager.statuses.at(-1)?.nack === null);
  });

  test('scenario 7: one flipped byte in a signed manifest is a wrong signature', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    const manifest = testManifest(id, 1, one);
    const { sealEnvelope, payloadTypes } = await import('@sbox/core');
    const { online } = manager.keys;
    const sealed = sealEnvelope(
      payloadTypes.manifest,
      Buffer.from(JSON.stringify(manifest)),
      online.keyid,
      online.sign,
    );
    const tampered = {
      ...sealed,
      payload: Buffer.from(JSON.stringify({ ...manifest, generation: 7 })).toString('base64'),
    };
    manager.publishRaw(Buffer.from(JSON.stringify(tampered)), '"1.7.abc"');
    await using agent = await bench.start();
    await eventually('the refusal is reported', () =>
      manager.statuses.find(({ nack }) => nack?.code === 'manifest.signature-invalid'),
    );
    expect(agent.fake.offered).toEqual([]);
  });

  test('a new online key is believed when the root key signed it', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    const before = await readFile(path.join(bench.stateDir, 'trust.json'), 'utf8');
    manager.rotate();
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start();
    await untilRuns(agent, 1);
    expect(await readFile(path.join(bench.stateDir, 'trust.json'), 'utf8')).not.toBe(before);
  });

  test.each(['html', 'garbage', 'error', 'busy'] as const)(
    'scenario 3: %s instead of an answer is no answer',
    async (fault) => {
      await using bench = await openBench();
      await using manager = await startManagerDouble({ clock });
      const { server_id: id } = await bench.join(manager);
      manager.publish(testManifest(id, 1, one), [one]);
      await using agent = await bench.start();
      await untilRuns(agent, 1);
      manager.fault = fault;
      await eventually('it counts as away', () =>
        agent.statusSource
          .status()
          .conditions.some(({ type, status }) => type === 'ManagerReachable' && status === 'false'),
      );
      expect(agent.statusSource.status().nack).toBeNull();
      manager.publish(testManifest(id, 2, two), [two]);
      if (fault !== 'busy') {
        manager.fault = undefined;
        await untilRuns(agent, 2);
      }
    },
  );

  test('a removed server keeps what it runs and stops asking', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    await using agent = await bench.start();
    await untilRuns(agent, 1);
    manager.fault = 'revoked';
    manager.publish(testManifest(id, 2, two), [two]);
    await eventually('it knows', () =>
      agent.statusSource.status().conditions.some(({ message }) => message.includes('removed')),
    );
    const client = createClient(localRoutes, socketTransport(agent.socketFile));
    const { manager: view } = await client.status();
    expect(Date.parse(view?.next_try_at ?? '') - clock.now()).toBeGreaterThan(3_500_000);
    expect(agent.fake.state.running?.generation).toBe(1);
  });

  test('scenario 23: a clock that is a day off is corrected by the time that the manager tells', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, one), [one]);
    manager.skewMs = 86_400_000;
    await using agent = await bench.start();
    await untilRuns(agent, 1);
    await eventually('the skew is reported', () =>
      manager.statuses.findLast(({ conditions }) =>
        conditions.some(({ type, status }) => type === 'ClockSkewed' && status === 'true'),
      ),
    );
    manager.skewMs = 0;
    manager.publish(testManifest(id, 2, two), [two]);
    await untilRuns(agent, 2);
    await eventually('the skew is over', () =>
      manager.statuses.at(-1)?.conditions.some(({ type, status }) => type === 'ClockSkewed' && status === 'false'),
    );
  });
});

describe('the local API', () => {
  test('answers the whole of its contract over the socket file', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.publish(testManifest(id, 1, Buffer.from('{"outbounds":[{"password":"hunter2"}]}')), [
      Buffer.from('{"outbounds":[{"password":"hunter2"}]}'),
    ]);
    await using agent = await bench.start();
    const client = createClient(localRoutes, socketTransport(agent.socketFile));
    await untilRuns(agent, 1);
    const status = await client.status();
    expect(status).toMatchObject({ server_id: id, manager: { url: manager.url, reachable: true, tries: 0 } });
    expect(await client.live()).toEqual({ ok: true });
    expect(await client.health()).toMatchObject({ manager_reachable: true, phase: 'committed' });
    expect((await client.history()).items).toHaveLength(1);
    expect((await client.processes()).items).toEqual([]);
    expect((await client.logs()).items).toEqual([{ unit: 'main', line: 'a line' }]);
    expect(JSON.stringify((await client.config()).items)).not.toContain('hunter2');
    expect((await client.events()).items.map(({ type }) => type)).toContain('server.committed');
    const { bytes } = await client.metrics();
    expect(Buffer.from(bytes ?? '').toString('utf8')).toContain('sboxagent_manager_reachable 1');
    await expect(client.rollback()).rejects.toMatchObject({ code: 'history.empty' });
    await expect(client.import({ body: Buffer.from('no tar') })).rejects.toMatchObject({ code: 'bundle.invalid' });
  });

  test('over TCP it asks for the token, knows its host names and limits the rate', async () => {
    await using bench = await openBench();
    const token = 'a-token-of-some-length';
    const api = { enabled: true, port: 0, security: { auth_token: token, rate_limit: { requests_per_minute: 4 } } };
    await using agent = await bench.start(bench.settings({ api }));
    const url = `http://${agent.apiAddress}`;
    const ask = async (place: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`${url}${place}`, { headers })).status;
    expect(await ask('/healthz')).toBe(200);
    expect(await ask('/api/v1/status')).toBe(401);
    expect(await ask('/api/v1/status', { authorization: 'Bearer wrong' })).toBe(401);
    expect(await ask('/api/v1/status', { authorization: `Bearer ${token}` })).toBe(200);
    expect(await ask('/api/v1/status', { authorization: `Bearer ${token}` })).toBe(429);
    const { request } = await import('node:http');
    const foreign = await new Promise<number>((resolve) => {
      request(`${url}/healthz`, { headers: { host: 'evil.example' } }, (answer) =>
        resolve(answer.statusCode ?? 0),
      ).end();
    });
    expect(foreign).toBe(421);
  });

  test('over TCP a stranger is turned away before anything of a body is kept', async () => {
    await using bench = await openBench();
    const api = { enabled: true, port: 0, security: { auth_token: 'a-token-of-some-length' } };
    await using agent = await bench.start(bench.settings({ api }));
    const { request } = await import('node:http');
    const answered = Promise.withResolvers<number>();
    const asked = request(`http://${agent.apiAddress}/api/v1/import`, {
      method: 'POST',
      headers: { 'content-length': 50_000_000 },
      signal: AbortSignal.timeout(3000),
    });
    asked.on('error', answered.reject).on('response', (answer) => answered.resolve(answer.statusCode ?? 0));
    asked.flushHeaders();
    expect(await answered.promise).toBe(401);
    asked.destroy();
  });

  test('a port that somebody else has costs the API, not what was running', async () => {
    await using bench = await openBench();
    await using first = await bench.start(
      bench.settings({ api: { enabled: true, port: 0, security: { auth_token: 'a-token-of-some-length' } } }),
    );
    const port = Number(first.apiAddress?.split(':')[1]);
    const fake = createFakeReconciler(clock);
    const boot = jest.spyOn(fake, 'boot');
    const other = path.join(bench.directory, 'other');
    const api = { enabled: true, port, security: { auth_token: 'a-token-of-some-length' } };
    const starting = startAgent(bench.settings({ api, state_dir: other }), {
      log: silentLogger,
      pid: process.pid,
      uid: 0,
      environment: {},
      programFile: '/nowhere/main.ts',
      nodeFile: process.execPath,
      kill: () => {},
      createReconciler: async () => await Promise.resolve(fake),
    });
    await expect(starting).rejects.toMatchObject({ code: 'port.in-use' });
    expect(boot).toHaveBeenCalled();
  });

  test.each([
    [{ host: '0.0.0.0', security: { auth_enabled: false } }, 'settings.unsafe'],
    [{ host: '127.0.0.1' }, 'settings.invalid'],
  ])('does not open with %j', async (api, code) => {
    await using bench = await openBench();
    await expect(bench.start(bench.settings({ api: { enabled: true, port: 0, ...api } }))).rejects.toMatchObject({
      code,
    });
    expect(await readdir(bench.stateDir)).not.toContain('agent.lock');
  });

  test('one agent at a time uses a state directory', async () => {
    await using bench = await openBench();
    await using first = await bench.start();
    expect(first.identity).toBeUndefined();
    await expect(bench.start()).rejects.toMatchObject({ code: 'agent.running' });
  });
});
