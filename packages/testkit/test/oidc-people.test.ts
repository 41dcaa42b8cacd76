import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createClient, operatorContract, singleSignOn, type Client, type OperatorContract } from '@sbox/protocol';
import { createCookieBrowser } from '../src/cookie-browser.ts';
import { anna, ask, codeOn, goThere, logIn, openWorld, password, user, whoami, type World } from './oidc-world.ts';

describe('who comes', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  }, 60_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });
  const refusal = async (account: string) => codeOn((await logIn(world, account)).page);

  test('needs a role; the claims give it anew at every login, and take everything with it', async () => {
    const { provider, manager } = world;
    await provider.setAccounts({ carl: { preferred_username: 'carl', groups: ['nobody'] } });
    expect(await refusal('carl')).toBe('oidc.not-admitted');
    await provider.setAccounts({ carl: { preferred_username: 'carl', groups: ['watchers'] } });
    const first = await logIn(world, 'carl');
    expect((await user(world, 'carl')).role).toBe('viewer');
    await provider.setAccounts({ carl: { preferred_username: 'carla', groups: ['watchers', 'admins'] } });
    const second = await logIn(world, 'carl');
    // The first rule that fits; and the name stays: it is another claim of the same person.
    expect((await user(world, 'carl')).role).toBe('admin');
    expect(await whoami(world, first.browser)).toEqual({ status: 401 });
    expect(await whoami(world, second.browser)).toMatchObject({ name: 'carl' });
    await provider.setAccounts({ carl: { preferred_username: 'carl', groups: [] } });
    expect(await refusal('carl')).toBe('oidc.not-admitted');
    expect(await whoami(world, second.browser)).toEqual({ status: 401 });
    expect((await manager.client.events.list({ query: { type: 'user.' } })).items[0]?.data).toMatchObject({
      changed: ['sessions', 'tokens'],
    });
  });

  test('is nobody else, by whatever name', async () => {
    const { provider, manager } = world;
    await manager.client.users.create({ body: { name: 'dora', password, role: 'admin' } });
    await provider.setAccounts({
      'other-dora': { preferred_username: 'dora', email: 'dora@example.com', email_verified: true, groups: ['admins'] },
    });
    expect(await refusal('other-dora')).toBe('oidc.name-taken');
    expect((await user(world, 'dora')).identity).toBeNull();
    // Another account that is given the same name later is another person too.
    await provider.setAccounts({ e1: { preferred_username: 'emil', groups: ['watchers'] } });
    expect((await logIn(world, 'e1')).page.status).toBe(302);
    await provider.setAccounts({ e1: null, e2: { preferred_username: 'emil', groups: ['admins'] } });
    expect(await refusal('e2')).toBe('oidc.name-taken');
    expect((await user(world, 'emil')).role).toBe('viewer');
  });

  test('stays out when disabled or gone there; removed here, comes as somebody new', async () => {
    const { provider, manager } = world;
    await provider.setAccounts({ fred: { preferred_username: 'fred', groups: ['watchers'] } });
    const { browser } = await logIn(world, 'fred');
    const { id } = await user(world, 'fred');
    await manager.client.users.update({ params: { id }, headers: { 'if-match': '*' }, body: { disabled: true } });
    expect(await refusal('fred')).toBe('oidc.not-admitted');
    expect(await whoami(world, browser)).toEqual({ status: 401 });
    await manager.client.users.remove({ params: { id }, headers: { 'if-match': '*' } });
    expect((await logIn(world, 'fred')).page.status).toBe(302);
    expect((await user(world, 'fred')).id).not.toBe(id);
    const late = createCookieBrowser();
    const back = await goThere(world, late, 'fred');
    await provider.setAccounts({ fred: null });
    expect(codeOn(await late.get(back))).toBe('oidc.refused');
  });

  test('stays an admin here as the last one', async () => {
    const own = await openWorld();
    await using _ = own;
    await own.provider.setAccounts({ gina: { preferred_username: 'gina', groups: ['admins'] } });
    await logIn(own, 'gina');
    await own.provider.setAccounts({ gina: { preferred_username: 'gina', groups: ['watchers'] } });
    expect((await logIn(own, 'gina')).page.status).toBe(302);
    expect((await user(own, 'gina')).role).toBe('admin');
    await own.manager.client.users.create({ body: { name: 'hans', password, role: 'admin' } });
    await logIn(own, 'gina');
    expect((await user(own, 'gina')).role).toBe('viewer');
  }, 60_000);

  test('is asked once more before dangerous things, and shows it there', async () => {
    const own = await openWorld();
    await using _ = own;
    await own.provider.setAccounts({ ida: { preferred_username: 'ida', groups: ['admins'] } });
    const browser = createCookieBrowser();
    // A session at the provider of before, as `auth_time` tells.
    const back = await goThere(own, browser, 'ida');
    const longAgo = Math.floor(Date.now() / 1000) - 3600;
    await own.provider.misbehave({ idToken: { claims: { auth_time: longAgo } } });
    expect((await browser.get(back)).status).toBe(302);
    const body = { name: 'made', permissions: ['status:read'] };
    expect(await ask(own, browser, 'POST', '/api/v1/tokens', body)).toMatchObject({
      status: 403,
      json: {
        code: 'auth.step-up-required',
        details: { how: 'oidc', address: '/api/v1/session/oidc/start?fresh=true' },
      },
    });
    expect((await ask(own, browser, 'GET', '/api/v1/configs')).status).toBe(200);
    const sly = await goThere(own, browser, 'ida', '?fresh=true');
    expect(codeOn(await browser.get(sly))).toBe('oidc.refused');
    await own.provider.misbehave({});
    expect((await logIn(own, 'ida', browser, '?fresh=true')).page.status).toBe(302);
    expect((await ask(own, browser, 'POST', '/api/v1/tokens', body)).status).toBe(201);
    // In place of the old session, not beside it.
    expect((await user(own, 'ida')).sessions).toBe(1);
  }, 60_000);
});

test('without auto_create only who was made before comes in', async () => {
  await using world = await openWorld({ OIDC_AUTO_CREATE: 'false' });
  await world.provider.setAccounts({ anna });
  expect(codeOn((await logIn(world, 'anna')).page)).toBe('oidc.not-admitted');
  const made = await world.manager.command('user', 'create', 'anna', '--role', 'viewer', '--subject', 'anna');
  expect([made.code, made.stderr]).toEqual([0, '']);
  const { browser } = await logIn(world, 'anna');
  expect(await whoami(world, browser)).toMatchObject({ name: 'anna' });
  expect((await user(world, 'anna')).role).toBe('admin');
}, 60_000);

test('a provider that is away keeps nobody waiting, and nobody else out', async () => {
  await using world = await openWorld();
  await world.provider.stop();
  const startedMs = performance.now();
  const page = await createCookieBrowser().get(`${world.manager.url}/api/v1/session/oidc/start`);
  expect([page.status, codeOn(page)]).toEqual([503, 'oidc.unavailable']);
  expect(performance.now() - startedMs).toBeLessThan(5000);
  await world.manager.client.users.create({ body: { name: 'dora', password, role: 'viewer' } });
  const opened = await ask(world, createCookieBrowser(), 'POST', '/api/v1/session', { name: 'dora', password });
  expect(opened.status).toBe(201);
}, 60_000);

test('a provider in a private network has to be allowed', async () => {
  await using world = await openWorld({ FETCH_ALLOW: '[]' });
  const page = await createCookieBrowser().get(`${world.manager.url}/api/v1/session/oidc/start`);
  expect([page.status, codeOn(page)]).toEqual([503, 'oidc.unavailable']);
  expect(page.text).toContain('may not be fetched');
}, 60_000);

describe('sboxmgr login --oidc', () => {
  test('gets a token by the browser of its user', async () => {
    await using world = await openWorld();
    await world.provider.setAccounts({ anna });
    const client = clientOf(world);
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    // Without a port the code is shown.
    const { browser, page } = await logIn(world, 'anna', undefined, `?challenge=${challenge}`);
    expect(page.status).toBe(200);
    const code = /<p>([\w-]{43})<\/p>/.exec(page.text)?.[1] ?? '';
    expect(await whoami(world, browser)).toEqual({ status: 401 });
    await expect(client.redeem({ body: { code, verifier: 'x'.repeat(43) } })).rejects.toMatchObject({
      code: 'oidc.expired',
    });
    // Burnt by the wrong one.
    await expect(client.redeem({ body: { code, verifier } })).rejects.toMatchObject({ code: 'oidc.expired' });
    const second = await logIn(world, 'anna', browser, `?challenge=${challenge}&port=4444`);
    const landed = new URL(second.page.location ?? '');
    expect([landed.hostname, landed.port]).toEqual(['127.0.0.1', '4444']);
    const given = await client.redeem({ body: { code: landed.searchParams.get('code') ?? '', verifier } });
    expect(given).toMatchObject({ kind: 'token', name: 'anna' });
    expect(given.token).toMatch(/^sbox_pat_/);
    const file = path.join(world.directory, 'token');
    await writeFile(file, given.token);
    const me = await world.manager.command('whoami', '--token-file', file);
    expect(me.stdout).toContain('anna (token)');
  }, 60_000);
});

function clientOf({ manager }: World): Client<typeof singleSignOn> & Pick<Client<OperatorContract>, 'session'> {
  const transport: Parameters<typeof createClient>[1] = async ({ method, path: where, headers, body }) => {
    const answer = await fetch(`${manager.url}${where}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: new Uint8Array(await answer.arrayBuffer()),
    };
  };
  return { ...createClient(singleSignOn, transport), session: createClient(operatorContract, transport).session };
}
