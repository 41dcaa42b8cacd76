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
    const { client } = manager;
    for (const name of ['prod', 'beta-only']) await client.environments.create({ body: { name } });
    const stand = (id: string, environment: string) =>
      client.servers.update({ params: { id }, headers: any, body: { environment } });
    for (const id of ['acme-server', 'beta-server']) await stand(id, 'prod');
    // Of what they choose they reach what they meet; what is elsewhere is not there for them.
    for (const body of [{ environment: 'prod' }, { selector: 'customer' }])
      expect((await deploy(body)).servers.map(({ name }) => name)).toEqual(['acme-server']);
    await stand('beta-server', 'beta-only');
    for (const environment of ['beta-only', 'nowhere'])
      await expect(deploy({ environment })).rejects.toMatchObject({
        code: 'environment.not-found',
        message: `environment ${environment}`,
      });
    expect(await codeOf(deploy({ selector: 'customer=beta' }))).toBe('deployment.no-servers');
    // The admin takes it outside: from now on it is not theirs alone to move.
    await manager.client.configs.deploy({ params: { id: 'acme-config' }, body: { servers: ['beta-server'] } });
    for (const body of [{}, { servers: ['acme-server'] }]) {
      const refused = deploy(body);
      await expect(refused).rejects.toMatchObject({ code: 'auth.out-of-bounds', details: { servers: 1 } });
      await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('beta') });
    }
    const { items } = await held.client.deployments.list({ query: everything });
    expect(items.map(({ servers }) => servers.map(({ name }) => name))).toEqual([
      ['acme-server'],
      ['acme-server'],
      ['acme-server'],
    ]);
    const [newest] = (await manager.client.deployments.list()).items;
    expect(await codeOf(held.client.deployments.get({ params: { id: newest?.id ?? '' } }))).toBe(
      'deployment.not-found',
    );
  });

  test('a version does not show what servers outside get instead, nor of whom a change of settings was', async () => {
    await using manager = await openManager();
    await fillProject(manager.client, 'acme');
    const { client } = manager;
    await client.servers.add({ body: { name: 'elsewhere', labels: { customer: 'beta' } } });
    const config = { params: { id: 'acme-config' } };
    const mixed = { name: 'mixed', params: { port: 2081 } };
    await client.configs.update({ ...config, headers: any, body: { template: mixed } });
    await client.configs.generate({ ...config, body: {} });
    await client.configs.deploy({ ...config, body: { servers: ['elsewhere', 'acme-server'] } });
    const values = { 'params.port': 3999 };
    const params = { scope: 'server:elsewhere' };
    await client.settings.update({ params, headers: any, body: { values, message: 'secret place' } });
    const shown = async (by: typeof client) => {
      const { items } = await by.configs.versions({ ...config, query: { limit: 1 } });
      const version = await by.configs.version({ params: { id: 'acme-config', version: String(items[0]?.version) } });
      expect(version).toEqual(items[0]);
      return JSON.stringify(version);
    };
    expect(await shown(client)).toMatch(/3999.*elsewhere/);
    const { client: held } = await heldTo(manager, { servers: 'customer=acme' });
    expect(await shown(held)).not.toMatch(/3999|elsewhere|secret place/);
    expect(await shown(held)).toContain('"params.port":"***"');
    const diff = (server: string) =>
      held.configs.diff({ params: { id: 'acme-config', version: '2' }, query: { server } });
    expect(await codeOf(diff('elsewhere'))).toBe('server.not-found');
    expect(await codeOf(diff('acme-server'))).toBe('none');
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
