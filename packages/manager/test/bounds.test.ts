import { describe, expect, test } from '@jest/globals';
import type { Bounds, TemplateDocument } from '@sbox/protocol';
import { codeOf, createTransport, openManager } from './open-manager.ts';
import { boundsOf, fillProject, heldTo, nodesOf, openTwoProjects } from './two-projects.ts';

const any = { 'if-match': '*' };
const everything = { limit: 1000 };
const names = (items: readonly { readonly name: string }[]): string[] => items.map(({ name }) => name);

describe('somebody who is held to a project and to labels', () => {
  test('knows so, and sees what is inside', async () => {
    await using manager = await openManager();
    const { held } = await openTwoProjects(manager);
    const { client } = held;
    expect((await client.session.get()).bounds).toEqual({ projects: ['acme'], servers: 'customer=acme' });
    expect(names((await client.subscriptions.list()).items)).toEqual(['acme-sub']);
    expect(names((await client.configs.list()).items)).toEqual(['acme-config']);
    expect(names((await client.servers.list()).items)).toEqual(['acme-server']);
    expect(names((await client.configs.list({ query: { project: 'beta' } })).items)).toEqual([]);
    const templates = (await client.templates.list()).items;
    expect(templates.filter(({ built_in }) => !built_in).map(({ name }) => name)).toEqual(['acme-template']);
    expect(templates.flatMap(({ configs }) => configs)).toEqual(['acme-config']);
  });

  test('has full pages and cursors that name only what was shown', async () => {
    await using manager = await openManager();
    const source = { type: 'inline' as const, text: nodesOf('one') };
    for (let index = 0; index < 12; index += 1) {
      const [name, project] = [`s${String(index).padStart(2, '0')}`, index % 3 === 0 ? 'acme' : 'beta'];
      await manager.client.subscriptions.add({ body: { name, project, source } });
      await manager.client.servers.add({ body: { name, labels: { customer: project } } });
    }
    const { client } = await heldTo(manager, boundsOf('acme'));
    const second = await heldTo(manager, boundsOf('beta'));
    for (const resource of ['subscriptions', 'servers'] as const) {
      const first = await client[resource].list({ query: { limit: 3 } });
      expect(names(first.items)).toEqual(['s00', 's03', 's06']);
      const cursor = first.next_cursor ?? '';
      expect(Buffer.from(cursor, 'base64url').toString()).toBe('["s06"]');
      expect(await client[resource].list({ query: { limit: 3, cursor } })).toMatchObject({
        items: [{ name: 's09' }],
        next_cursor: null,
      });
      // A cursor is a place in the order, and opens nothing.
      const others = await second.client[resource].list({ query: { limit: 1000, cursor } });
      expect(names(others.items)).toEqual(['s07', 's08', 's10', 's11']);
    }
  });

  test('cannot use what is outside, under its name or its id, and is not told that it is there', async () => {
    await using manager = await openManager();
    const { beta, held } = await openTwoProjects(manager);
    const { configs, subscriptions } = held.client;
    for (const id of ['beta-config', beta.config.id]) {
      expect(await codeOf(configs.get({ params: { id } }))).toBe('config.not-found');
      expect(await codeOf(configs.update({ params: { id }, headers: { 'if-match': '"7"' }, body: {} }))).toBe(
        'config.not-found',
      );
    }
    for (const sub of ['beta-sub', beta.subscription.id]) {
      const body = { name: 'own', project: 'acme', subscriptions: [sub] };
      expect(await codeOf(configs.create({ body }))).toBe('subscription.not-found');
      const change = { params: { id: 'acme-config' }, headers: any, body: { subscriptions: ['acme-sub', sub] } };
      expect(await codeOf(configs.update(change))).toBe('subscription.not-found');
      expect(await codeOf(subscriptions.remove({ params: { id: sub }, headers: any }))).toBe('subscription.not-found');
    }
    const template = { name: 'beta-template', params: {} };
    const change = { params: { id: 'acme-config' }, headers: any, body: { template } };
    expect(await codeOf(configs.update(change))).toBe('template.not-found');
  });

  test('moves nothing out, and nothing in', async () => {
    await using manager = await openManager();
    const { held } = await openTwoProjects(manager);
    const { configs, subscriptions, templates } = held.client;
    const moved = { headers: any, body: { project: 'beta' } };
    expect(await codeOf(configs.update({ params: { id: 'acme-config' }, ...moved }))).toBe('auth.out-of-bounds');
    expect(await codeOf(subscriptions.update({ params: { id: 'acme-sub' }, ...moved }))).toBe('auth.out-of-bounds');
    const drawn = { headers: any, body: { project: 'acme' } };
    expect(await codeOf(configs.update({ params: { id: 'beta-config' }, ...drawn }))).toBe('config.not-found');
    expect(await codeOf(subscriptions.update({ params: { id: 'beta-sub' }, ...drawn }))).toBe('subscription.not-found');
    // What is replaced without a project would go to `default`.
    const source = { type: 'inline' as const, text: nodesOf('x') };
    const whole = { params: { id: 'acme-sub' }, headers: any, body: { name: 'acme-sub', source } };
    expect(await codeOf(subscriptions.replace(whole))).toBe('auth.out-of-bounds');
    expect(await codeOf(subscriptions.add({ body: { name: 'new', source } }))).toBe('auth.out-of-bounds');
    const document = { outbounds: [{ type: 'direct', tag: 'direct' }] };
    expect(await codeOf(templates.adopt({ body: { name: 'new', document } }))).toBe('auth.out-of-bounds');
    expect((await configs.get({ params: { id: 'acme-config' } })).project).toBe('acme');
    const inside = { params: { id: 'acme-config' }, headers: any, body: { project: 'acme', auto_deploy: true } };
    expect(await configs.update(inside)).toMatchObject({ project: 'acme', auto_deploy: true });
  });

  test('keeps what a config of its project uses already', async () => {
    await using manager = await openManager();
    await fillProject(manager.client, 'acme');
    const source = { type: 'inline' as const, text: nodesOf('shared') };
    const shared = await manager.client.subscriptions.add({ body: { name: 'shared', source } });
    const change = { params: { id: 'acme-config' }, headers: any, body: { subscriptions: ['acme-sub', 'shared'] } };
    const { client } = await heldTo(manager, boundsOf('acme'));
    expect(await codeOf(client.configs.update(change))).toBe('subscription.not-found');
    await manager.client.configs.update(change);
    expect((await client.configs.update(change)).subscriptions).toHaveLength(2);
    expect(await codeOf(client.subscriptions.get({ params: { id: shared.id } }))).toBe('subscription.not-found');
  });

  test('is not told who else uses what is shared', async () => {
    await using manager = await openManager();
    const source = { type: 'inline' as const, text: nodesOf('shared') };
    await manager.client.subscriptions.add({ body: { name: 'shared', source } });
    for (const project of ['acme', 'beta'])
      await manager.client.configs.create({ body: { name: `of-${project}`, project, subscriptions: ['shared'] } });
    const { client } = await heldTo(manager, { projects: ['default', 'acme'] });
    await expect(client.subscriptions.remove({ params: { id: 'shared' }, headers: any })).rejects.toMatchObject({
      code: 'subscription.in-use',
      message: 'shared is used by of-acme, 1 more',
      details: { configs: ['of-acme'] },
    });
    const mixed = (await client.templates.list()).items.find(({ name }) => name === 'mixed');
    expect(mixed?.configs).toEqual(['of-acme']);
    const move = { params: { id: 'shared' }, headers: any, body: { project: 'acme' } };
    await expect(client.subscriptions.update(move)).rejects.toMatchObject({ code: 'project.mismatch' });
    await expect(client.subscriptions.update(move)).rejects.not.toMatchObject({
      message: expect.stringMatching('beta'),
    });
  });
});

test('things of different projects do not go together, whoever writes', async () => {
  await using manager = await openManager();
  await openTwoProjects(manager);
  const { configs, subscriptions, templates } = manager.client;
  const create = (project: string, subs: string[], template: string) =>
    codeOf(
      configs.create({
        body: {
          name: `x-${project}-${subs.join('-')}`,
          project,
          subscriptions: subs,
          template: { name: template, params: {} },
        },
      }),
    );
  expect(await create('acme', ['beta-sub'], 'mixed')).toBe('project.mismatch');
  expect(await create('acme', ['acme-sub'], 'beta-template')).toBe('project.mismatch');
  expect(await create('default', ['acme-sub'], 'mixed')).toBe('project.mismatch');
  const move = (id: string) => ({ params: { id }, headers: any, body: { project: 'beta' } });
  expect(await codeOf(configs.update(move('acme-config')))).toBe('project.mismatch');
  expect(await codeOf(subscriptions.update(move('acme-sub')))).toBe('project.mismatch');
  const { document, engine, description, params } = await templates.get({
    params: { name: 'acme-template' },
    query: {},
  });
  const read = { name: 'acme-template', document, engine, description, params };
  const template = read as unknown as TemplateDocument;
  const replaced = (project: string) =>
    templates.replace({ params: { name: 'acme-template' }, headers: any, body: { template, project } });
  expect(await codeOf(replaced('beta'))).toBe('project.mismatch');
  // What all may use serves both.
  expect(await replaced('default')).toMatchObject({ project: 'default', version: 1 });
  await subscriptions.update({ params: { id: 'acme-sub' }, headers: any, body: { project: 'default' } });
  expect(await configs.update(move('acme-config'))).toMatchObject({ project: 'beta' });
  expect(names((await configs.list({ query: { project: 'beta' } })).items)).toEqual(['acme-config', 'beta-config']);
});

describe('handing on', () => {
  const wider: readonly Bounds[] = [
    { projects: ['acme', 'beta'], servers: 'customer=acme' },
    { projects: ['acme'] },
    { servers: 'customer=acme' },
    { projects: ['acme'], servers: 'customer in (acme,beta)' },
    { projects: ['acme'], servers: 'customer' },
  ];

  test('nobody gives wider bounds than their own, and who asks for none hands on their own', async () => {
    await using manager = await openManager();
    const { client, id: ownId } = await heldTo(manager, boundsOf('acme'));
    const give = (bounds?: Bounds) =>
      client.tokens.create({ body: { name: 'next', role: 'viewer', ...(bounds ? { bounds } : {}) } });
    for (const bounds of wider) expect([bounds, await codeOf(give(bounds))]).toEqual([bounds, 'auth.out-of-bounds']);
    expect((await give()).bounds).toEqual(boundsOf('acme'));
    const narrow = { projects: ['acme'], servers: 'customer=acme,tier=one' };
    const made = await give(narrow);
    expect((await manager.clientOf(made.token).session.get()).bounds).toEqual(narrow);
    // Tokens that open more than the caller are nobody's business.
    const admin = await manager.client.tokens.create({ body: { name: 'wide', role: 'viewer' } });
    const { items } = await client.tokens.list({ query: everything });
    expect(items.map(({ name }) => name)).toEqual(['next', 'next', 'held']);
    expect(items.map(({ id }) => id)).toContain(ownId);
    for (const id of [admin.id, 'tok_none']) {
      await expect(client.tokens.remove({ params: { id } })).rejects.toMatchObject({
        code: 'token.not-found',
        message: `there is no token ${id}`,
      });
    }
    await client.tokens.remove({ params: { id: made.id } });
  });

  test('a person is held to the bounds of now, in sessions and tokens that were there before', async () => {
    await using manager = await openManager();
    await openTwoProjects(manager);
    const password = 'correct horse battery staple';
    const { client } = manager;
    await client.users.create({ body: { name: 'root', password, role: 'admin' } });
    await client.users.create({ body: { name: 'cleo', password, role: 'admin' } });
    const own = await client.session.open({ body: { name: 'cleo', password, as: 'token' } });
    expect(own.bounds).toBeNull();
    const cleo = manager.clientOf(own.token ?? '');
    const personal = await cleo.tokens.create({
      body: { name: 'mine', role: 'admin', personal: true, bounds: { projects: ['acme', 'beta'] } },
    });
    const program = manager.clientOf(personal.token);
    expect((await cleo.configs.list()).items).toHaveLength(2);
    const edit = (bounds: Bounds | null) =>
      client.users.update({ params: { id: 'cleo' }, headers: any, body: { bounds } });
    expect((await edit({ projects: ['beta', 'default'] })).bounds).toEqual({ projects: ['beta', 'default'] });
    expect(names((await cleo.configs.list()).items)).toEqual(['beta-config']);
    // Of both: what the person may see, and what the token may.
    expect((await program.session.get()).bounds).toEqual({ projects: ['beta'] });
    expect(names((await program.configs.list()).items)).toEqual(['beta-config']);
    expect(await codeOf(cleo.users.list())).toBe('auth.out-of-bounds');
    expect(await codeOf(cleo.users.update({ params: { id: 'cleo' }, headers: any, body: { bounds: null } }))).toBe(
      'auth.out-of-bounds',
    );
    await edit({ projects: ['nowhere'] });
    expect((await program.configs.list()).items).toEqual([]);
    expect((await program.session.get()).bounds).toEqual({ projects: [] });
    await edit(null);
    expect((await cleo.configs.list()).items).toHaveLength(2);
  });

  test('an admin who is held to something is not the admin that has to stay', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const password = 'correct horse battery staple';
    await client.users.create({ body: { name: 'root', password, role: 'admin' } });
    await client.users.create({ body: { name: 'cleo', password, role: 'admin', bounds: { projects: ['acme'] } } });
    const change = (body: object) => client.users.update({ params: { id: 'root' }, headers: any, body });
    expect(await codeOf(change({ bounds: { projects: ['acme'] } }))).toBe('user.last-admin');
    expect(await codeOf(change({ role: 'viewer' }))).toBe('user.last-admin');
    expect(await codeOf(client.users.remove({ params: { id: 'root' }, headers: any }))).toBe('user.last-admin');
  });

  test('who holds less than a role does not widen the bounds of who has it', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const password = 'correct horse battery staple';
    await client.users.create({ body: { name: 'cleo', password, role: 'admin', bounds: { projects: ['acme'] } } });
    const { token } = await client.tokens.create({ body: { name: 'sec', role: 'secadmin' } });
    const edit = (bounds: Bounds | null) =>
      manager.clientOf(token).users.update({ params: { id: 'cleo' }, headers: any, body: { bounds } });
    for (const bounds of [null, { projects: ['acme', 'beta'] }])
      expect(await codeOf(edit(bounds))).toBe('auth.forbidden');
    expect((await edit({ projects: ['acme'], servers: 'a=b' })).bounds).toEqual({ projects: ['acme'], servers: 'a=b' });
  });
});

test('an answer that was kept for another caller, or from before, shows nothing', async () => {
  await using manager = await openManager();
  const { held } = await openTwoProjects(manager);
  const body = { name: 'twice', project: 'beta', subscriptions: ['beta-sub'] };
  const headers = { 'idempotency-key': 'k' };
  await manager.client.configs.create({ headers, body });
  expect(await codeOf(held.client.configs.create({ headers, body }))).toBe('auth.out-of-bounds');
  // The same token, held to less than when it asked first.
  const password = 'correct horse battery staple';
  await manager.client.users.create({ body: { name: 'cleo', password, role: 'operator' } });
  const { token = '' } = await manager.client.session.open({ body: { name: 'cleo', password, as: 'token' } });
  const cleo = manager.clientOf(token);
  const again = { headers: { 'idempotency-key': 'cleo' }, body: { ...body, name: 'cleos' } };
  expect(await codeOf(cleo.configs.create(again))).toBe('none');
  await manager.client.users.update({ params: { id: 'cleo' }, headers: any, body: { bounds: { projects: ['acme'] } } });
  expect(await codeOf(cleo.configs.create(again))).toBe('auth.out-of-bounds');
});

test('that a name is taken shows to who wants it, and nothing more', async () => {
  await using manager = await openManager();
  const { held } = await openTwoProjects(manager);
  const body = { name: 'beta-sub', project: 'acme', source: { type: 'inline' as const, text: nodesOf('x') } };
  await expect(held.client.subscriptions.add({ body })).rejects.toMatchObject({
    code: 'subscription.exists',
    message: 'subscription beta-sub exists',
  });
});

test('bounds are words of their own: what is not understood is refused', async () => {
  await using manager = await openManager();
  const send = createTransport(manager.manager.url, () => ({
    authorization: `Bearer ${manager.adminToken}`,
    'content-type': 'application/json',
  }));
  for (const bounds of [
    {},
    { projects: [] },
    { servers: '' },
    { servers: '((' },
    { project: ['a'] },
    [],
    'acme',
    null,
  ]) {
    const text = JSON.stringify({ name: 'x', role: 'viewer', bounds });
    const { status } = await send({
      method: 'POST',
      path: '/api/v1/tokens',
      headers: {},
      body: Buffer.from(text),
      signal: undefined,
    });
    expect([text, status]).toEqual([text, 422]);
  }
});

test('a session of a browser is held to what its person is held to now', async () => {
  await using manager = await openManager();
  await openTwoProjects(manager);
  const password = 'correct horse battery staple';
  await manager.client.users.create({ body: { name: 'cleo', password, role: 'viewer' } });
  const carry = (headers: Record<string, string>) => createTransport(manager.manager.url, () => headers);
  const login = await carry({ 'content-type': 'application/json' })({
    method: 'POST',
    path: '/api/v1/session',
    headers: {},
    body: Buffer.from(JSON.stringify({ name: 'cleo', password })),
    signal: undefined,
  });
  const cookie = (login.headers['set-cookie'] ?? '').split(';')[0] ?? '';
  const shown = async (): Promise<string[]> => {
    const request = { method: 'GET', path: '/api/v1/configs', headers: {}, body: undefined, signal: undefined };
    const { body } = await carry({ cookie })(request);
    return names((JSON.parse(Buffer.from(body).toString()) as { items: { name: string }[] }).items);
  };
  expect(await shown()).toEqual(['acme-config', 'beta-config']);
  await manager.client.users.update({ params: { id: 'cleo' }, headers: any, body: { bounds: { projects: ['beta'] } } });
  expect(await shown()).toEqual(['beta-config']);
});
