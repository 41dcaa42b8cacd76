import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { joinAgent, openManager } from './open-manager.ts';

const links = [
  'trojan://example-password@192.0.2.1:443?sni=example.test#One',
  'ss://YWVzLTI1Ni1nY206ZXhhbXBsZQ@192.0.2.2:8388#Two',
  'nonsense://x',
];

test('a subscription becomes a version, a version a signed order, an order a verdict', async () => {
  await using manager = await openManager();
  const { client } = manager;
  const agent = await joinAgent(manager, 'edge');
  const subscription = await client.subscriptions.add({
    body: { name: 'demo', source: { type: 'inline', text: links.join('\n') } },
  });
  expect(subscription).toMatchObject({ version: 1, nodes: 2, rejected: 1, last_fetch: { outcome: 'changed' } });
  const config = await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  expect(config).toMatchObject({ version: 1, servers: 0 });

  const waiting = agent.manifest({ prefer: 'wait=20' });
  const deployment = await client.configs.deploy({ params: { id: 'home' }, body: {} });
  expect(deployment).toMatchObject({ state: 'running', servers: [{ name: 'edge', state: 'sent', generation: 1 }] });
  const order = (await waiting)?.manifest;
  expect(order).toMatchObject({ server_id: agent.id, epoch: 1, generation: 1, units: [{ name: 'main' }] });
  const digest = order?.units[0]?.config.digest ?? '';
  const { bytes } = await agent.client.blob({ params: { digest } });
  expect(
    `sha256:${createHash('sha256')
      .update(bytes ?? '')
      .digest('hex')}`,
  ).toBe(digest);

  await agent.commit();
  const done = async () => (await client.deployments.get({ params: { id: deployment.id } })).state;
  for (let turn = 0; turn < 100 && (await done()) === 'running'; turn += 1);
  expect(await done()).toBe('succeeded');
  expect(await client.servers.get({ params: { id: 'edge' } })).toMatchObject({ state: 'healthy', offline: false });
});
