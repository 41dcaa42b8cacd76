import { describe, expect, test } from '@jest/globals';
import { codeOf, openManager } from './open-manager.ts';
import { fillProject, heldTo, nodesOf, openTwoProjects } from './two-projects.ts';

const any = { 'if-match': '*' };
const everything = { limit: 1000 };

describe('deploying', () => {
  test('reaches servers inside only, and a refusal says how many are not', async () => {
    await using manager = await openManager();
    const { beta, held } = await openTwoProjects(manager);
    const deploy = (body: object) => held.client.configs.deploy({ params: { id: 'acme-config' }, body });
    for (const server of ['beta-server', beta.server.id])
      expect(await codeOf(deploy({ servers: ['acme-server', server] }))).toBe('server.not-found');
    expect(await deploy({ servers: ['acme-server'] })).toMatchObject({ servers: [{ name: 'acme-server' }] });
    // The admin takes it outside: from now on it is not theirs alone to move.
    await manager.client.configs.deploy({ params: { id: 'acme-config' }, body: { servers: ['beta-server'] } });
    for (const body of [{}, { servers: ['acme-server'] }]) {
      const refused = deploy(body);
      await expect(refused).rejects.toMatchObject({ code: 'auth.out-of-bounds', details: { servers: 1 } });
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('beta') });
    }
    const { items } = await held.client.deployments.list({ query: everything });
    expect(items.map(({ servers }) => servers.map(({ name }) => name))).toEqual([['acme-server']]);
    const [newest] = (await manager.client.deployments.list()).items;
    expect(await codeOf(held.client.deployments.get({ params: { id: newest?.id ?? '' } }))).toBe(
      'deployment.not-found',
    );
  });

  test('without names does not fall on the only server there is, when that is outside', async () => {
    await using manager = await openManager();
    await fillProject(manager.client, 'acme');
    const { client } = await heldTo(manager, { servers: 'customer=other' });
    expect(await codeOf(client.configs.deploy({ params: { id: 'acme-config' }, body: {} }))).toBe('auth.out-of-bounds');
    expect((await manager.client.deployments.list()).items).toEqual([]);
  });

  test('by itself does not reach further: neither by auto_deploy nor by an assignment', async () => {
    await using manager = await openManager();
    const { held } = await openTwoProjects(manager);
    const { client } = manager;
    await client.configs.deploy({ params: { id: 'acme-config' }, body: { servers: ['beta-server'] } });
    const edit = (body: object) => held.client.configs.update({ params: { id: 'acme-config' }, headers: any, body });
    expect(await codeOf(edit({ auto_deploy: true }))).toBe('auth.out-of-bounds');
    expect(await edit({ tests_block: false })).toMatchObject({ auto_deploy: false });
    await client.configs.update({ params: { id: 'acme-config' }, headers: any, body: { auto_deploy: true } });
    for (const body of [{ tests_block: true }, { auto_deploy: false }])
      expect(await codeOf(edit(body))).toBe('auth.out-of-bounds');
    const { subscriptions } = held.client;
    const sub = { params: { id: 'acme-sub' } };
    expect(await codeOf(subscriptions.refresh(sub))).toBe('auth.out-of-bounds');
    expect(await codeOf(subscriptions.pin({ ...sub, body: { version: 1 } }))).toBe('auth.out-of-bounds');
    const source = { type: 'inline' as const, text: nodesOf('other') };
    expect(await codeOf(subscriptions.update({ ...sub, headers: any, body: { source } }))).toBe('auth.out-of-bounds');
  });

  test('by itself later does not reach further either: what waits in a version or a template goes with the next change', async () => {
    await using manager = await openManager();
    const { held } = await openTwoProjects(manager);
    const { client } = manager;
    const config = { params: { id: 'acme-config' } };
    const edit = { ...config, headers: any };
    await client.configs.deploy({ ...config, body: { servers: ['beta-server'] } });
    const { name, document } = await client.templates.get({ params: { name: 'acme-template' }, query: {} });
    const template = { name, engine: 'sing-box' as const, description: 'another one', params: {}, document };
    const replace = () => held.client.templates.replace({ params: { name }, headers: any, body: { template } });
    expect(await codeOf(held.client.configs.rollback({ ...config, body: { version: 1 } }))).toBe('none');
    await client.configs.update({ ...edit, body: { auto_deploy: true } });
    expect(await codeOf(held.client.configs.generate({ ...config, body: {} }))).toBe('auth.out-of-bounds');
    expect(await codeOf(held.client.configs.rollback({ ...config, body: { version: 1 } }))).toBe('auth.out-of-bounds');
    expect(await codeOf(replace())).toBe('auth.out-of-bounds');
    expect(await codeOf(held.client.configs.generate({ ...config, body: { draft: true } }))).toBe('none');
    // A config that is held to a version of the template does not follow it.
    await client.configs.update({ ...edit, body: { template: { name, version: 1, params: {} } } });
    expect(await codeOf(replace())).toBe('none');
  });

  test('an assignment that means more than the bounds keeps its config from being deployed', async () => {
    await using manager = await openManager();
    await fillProject(manager.client, 'acme');
    const { client } = await heldTo(manager, { servers: 'customer=acme' });
    const assign = (name: string, selector: string) =>
      manager.client.assignments.create({ body: { name, selector, config: 'acme-config' } });
    const deploy = () => client.configs.deploy({ params: { id: 'acme-config' }, body: { servers: ['acme-server'] } });
    await assign('narrow', 'customer=acme,tier=one');
    expect(await codeOf(deploy())).toBe('none');
    // No server meets it today; one that joins tomorrow would.
    await assign('wide', 'tier=two');
    await expect(deploy()).rejects.toMatchObject({
      code: 'auth.out-of-bounds',
      details: { servers: 0, assignments: 1 },
    });
  });

  test('a bundle of a server inside does not hand out a config outside', async () => {
    await using manager = await openManager();
    const { held } = await openTwoProjects(manager);
    await manager.client.configs.deploy({ params: { id: 'beta-config' }, body: { servers: ['acme-server'] } });
    const bundle = { params: { id: 'acme-server' }, query: {} };
    expect(await codeOf(held.client.servers.bundle(bundle))).toBe('auth.out-of-bounds');
    await manager.client.configs.deploy({ params: { id: 'acme-config' }, body: { servers: ['acme-server'] } });
    expect(await codeOf(held.client.servers.bundle(bundle))).toBe('none');
  });
});
