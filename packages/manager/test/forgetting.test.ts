import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { openManager, type TestManager } from './open-manager.ts';

const any = { 'if-match': '*' };
const source = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };
const values = { log_level: 'error' };

const write = async ({ client }: TestManager, scope: string) =>
  await client.settings.update({ params: { scope }, headers: any, body: { values } });
const read = async ({ client }: TestManager, scope: string) =>
  (await client.settings.get({ params: { scope } })).values;
const untilGone = async (manager: TestManager, scope: string): Promise<void> => {
  while (Object.keys(await read(manager, scope)).length > 0);
};

test('what was written for a client, a server or an environment goes with it', async () => {
  await using manager = await openManager();
  const { client } = manager;
  await client.subscriptions.add({ body: { name: 'demo', source } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  await client.clients.create({ body: { name: 'phone', config: 'home' } });
  await client.servers.add({ body: { name: 'one' } });
  await client.environments.create({ body: { name: 'prod' } });
  for (const scope of ['user:phone', 'server:one', 'environment:prod']) await write(manager, scope);
  await client.clients.remove({ params: { id: 'phone' }, headers: any });
  await client.servers.remove({ params: { id: 'one' }, headers: any });
  await client.environments.remove({ params: { name: 'prod' }, headers: any });
  for (const scope of ['user:phone', 'server:one', 'environment:prod']) await untilGone(manager, scope);
});

test('a manager that died before it forgot does it when it starts, and only of what is gone', async () => {
  await using manager = await openManager();
  await manager.client.servers.add({ body: { name: 'there' } });
  for (const scope of ['server:gone', 'server:there', 'server:planned']) await write(manager, scope);
  await manager.restart({}, async () => {
    const database = new DatabaseSync(path.join(manager.directory, 'data', 'sbox.db'));
    const mark = database.prepare("insert into meta (tenant_id, key, value) values ('main', ?, ?)");
    for (const scope of ['server:gone', 'server:there']) mark.run(`forget settings ${scope}`, scope);
    database.close();
    await Promise.resolve();
  });
  await untilGone(manager, 'server:gone');
  expect(await read(manager, 'server:there')).toEqual(values);
  // Nobody deleted this one: it has not joined yet.
  expect(await read(manager, 'server:planned')).toEqual(values);
});
