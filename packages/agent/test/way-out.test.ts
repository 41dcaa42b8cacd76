import { expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { createAgentClient } from '../src/sync/agent-client.ts';
import { createHttpTransport } from '../src/sync/http-transport.ts';
import { waysOf } from '../src/sync/manager-way.ts';
import { createServerClock } from '../src/sync/server-clock.ts';
import { createTestCertificates } from './certificates.ts';
import { startManagerDouble } from './manager-double.ts';
import { directConfig, isCommitted, openRig, until } from './reconciler-rig.ts';

test('an engine that runs here is a way to a manager that cannot be reached directly', async () => {
  await using rig = await openRig();
  const certificates = await createTestCertificates(['manager.sbox.internal']);
  await using manager = await startManagerDouble({ clock: systemClock, certificates });
  await using agent = await rig.open();
  await using transport = createHttpTransport({
    urls: ['https://manager.nowhere.test'],
    ways: waysOf({ via: 'auto' }, () => agent.wayOut()),
    ca: certificates.caPem,
    serverClock: createServerClock(systemClock),
    clock: systemClock,
    log: silentLogger,
    connectTimeoutMs: 2000,
  });
  const client = createAgentClient(transport.send);
  await agent.boot();
  expect(agent.wayOut()).toBeUndefined();
  await expect(client.trust()).rejects.toMatchObject({ code: 'manager.unreachable' });

  // Only the engine knows where that name leads.
  const there = { override_address: '127.0.0.1', override_port: Number(new URL(manager.url).port) };
  const route = {
    rules: [{ domain: ['manager.nowhere.test'], action: 'route-options', ...there }],
    final: 'out',
  };
  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port, { route }) }));
  await until(agent, isCommitted(1));
  expect((await client.trust()).root_key).toBe(manager.trustDocument().root_key);
  expect(transport.place.way.via).toBe('engine');
});
