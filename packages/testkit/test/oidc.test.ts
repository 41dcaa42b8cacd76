import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCookieBrowser } from '../src/cookie-browser.ts';
import type { Misbehaviour } from '../src/identity-provider.ts';
import {
  anna,
  ask,
  callbackPath,
  codeOn,
  goThere,
  logIn,
  openWorld,
  password,
  user,
  whoami,
  type World,
} from './oidc-world.ts';

describe('logging in by an identity provider', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
    await world.provider.setAccounts({ anna, bert: { preferred_username: 'bert', groups: ['watchers'] } });
  }, 60_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('makes a user of who is admitted, and a session like any other', async () => {
    const { manager } = world;
    const told = await manager.client.session.oidc();
    expect(told).toEqual({ enabled: true, name: 'Example', start: '/api/v1/session/oidc/start', logout: null });
    const { browser, page } = await logIn(world, 'anna', undefined, '?return_to=%2Fdocs%3Fa%3Db%23c');
    expect([page.status, page.location]).toEqual([302, `${manager.url}/docs?a=b#c`]);
    expect(await whoami(world, browser)).toMatchObject({ kind: 'session', name: 'anna' });
    expect(await user(world, 'anna')).toMatchObject({
      role: 'admin',
      display_name: 'Anna Example',
      identity: { issuer: world.provider.issuer, subject: 'anna' },
      sessions: 1,
    });
    // What was for the way is gone.
    expect([...(browser.cookies.get(new URL(manager.url).host)?.keys() ?? [])]).toEqual(['sbox-dev']);
    const { logout } = await manager.client.session.oidc();
    expect(logout).toMatch(/\/session\/end\?.*post_logout_redirect_uri=/);
    expect((await browser.follow(logout ?? '')).status).toBe(200);
    const { items } = await manager.client.audit.list({ query: { action: 'finishOidc' } });
    expect(items[0]).toMatchObject({ actor_name: 'anna', result: 'ok', actor_type: 'session' });
    expect(items[0]?.change.map(({ type }) => type)).toEqual(['user.created', 'session.opened']);
    expect((await ask(world, browser, 'DELETE', '/api/v1/session')).status).toBe(204);
    expect(await whoami(world, browser)).toEqual({ status: 401 });
  });

  test('has no password to change, and none that opens', async () => {
    const { browser } = await logIn(world, 'anna');
    const body = { current: '', password };
    expect((await ask(world, browser, 'POST', '/api/v1/session/password', body)).json['code']).toBe('user.no-password');
    expect((await ask(world, browser, 'POST', '/api/v1/session/totp', { current: '' })).json['code']).toBe(
      'user.no-password',
    );
    expect((await ask(world, browser, 'POST', '/api/v1/session/step-up', { password })).json['code']).toBe(
      'user.no-password',
    );
    expect((await ask(world, browser, 'POST', '/api/v1/users/anna/password', { password })).json['code']).toBe(
      'user.no-password',
    );
    for (const typed of ['', password])
      expect(
        (await ask(world, createCookieBrowser(), 'POST', '/api/v1/session', { name: 'anna', password: typed })).json[
          'code'
        ],
      ).toBe('auth.login-failed');
  });

  test('ends where it began only: another browser, another state, twice', async () => {
    const browser = createCookieBrowser();
    const back = await goThere(world, browser, 'anna');
    expect(codeOn(await createCookieBrowser().get(back))).toBe('oidc.expired');
    const other = new URL(back);
    other.searchParams.set('state', 'another');
    expect(codeOn(await browser.get(other.href))).toBe('oidc.expired');
    // The cookie is gone with the first answer, so that a page cannot try states one after the other.
    expect(codeOn(await browser.get(back))).toBe('oidc.expired');

    const again = createCookieBrowser();
    const fine = await goThere(world, again, 'anna');
    const kept = new Map(again.cookies.get(new URL(world.manager.url).host));
    expect((await again.get(fine)).status).toBe(302);
    again.cookies.set(new URL(world.manager.url).host, kept);
    const replayed = await again.get(fine);
    expect([replayed.status, codeOn(replayed)]).toEqual([400, 'oidc.expired']);
  });

  test('takes a code once, whoever brings it', async () => {
    const [one, two] = [createCookieBrowser(), createCookieBrowser()];
    const back = new URL(await goThere(world, one, 'anna'));
    const stolen = new URL(await goThere(world, two, 'bert'));
    expect((await one.get(back.href)).status).toBe(302);
    stolen.searchParams.set('code', back.searchParams.get('code') ?? '');
    expect(codeOn(await two.get(stolen.href))).toBe('oidc.refused');
    expect(await whoami(world, two)).toEqual({ status: 401 });
  });

  test('is refused by another issuer in the answer, and by none (RFC 9207)', async () => {
    for (const iss of ['https://evil.example', undefined]) {
      const browser = createCookieBrowser();
      const back = new URL(await goThere(world, browser, 'anna'));
      if (iss === undefined) back.searchParams.delete('iss');
      else back.searchParams.set('iss', iss);
      expect(codeOn(await browser.get(back.href))).toBe('oidc.refused');
    }
  });

  test('asks with PKCE, state and nonce; the provider takes no code without the verifier', async () => {
    const browser = createCookieBrowser();
    const start = await browser.get(`${world.manager.url}/api/v1/session/oidc/start`);
    const asked = new URL(start.location ?? '').searchParams;
    expect(asked.get('code_challenge_method')).toBe('S256');
    expect(asked.get('code_challenge')).toMatch(/^[\w-]{43}$/);
    expect(asked.get('redirect_uri')).toBe(`${world.manager.url}${callbackPath}`);
    for (const name of ['state', 'nonce']) expect(asked.get(name)).toMatch(/^[\w-]{43}$/);
    expect(start.headers['set-cookie']?.[0]).toMatch(
      /^sbox-dev-oidc=.*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/,
    );
    const back = new URL(await goThere(world, createCookieBrowser(), 'anna'));
    const { issuer, clientId, clientSecret } = world.provider;
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from([clientId, clientSecret].map(encodeURIComponent).join(':')).toString('base64')}`,
      },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: back.searchParams.get('code') ?? '',
        redirect_uri: `${world.manager.url}${callbackPath}`,
      }),
    });
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_grant' }]);
  });

  const past = Math.floor(Date.now() / 1000) - 3600;
  test.each<[string, NonNullable<Misbehaviour['idToken']>]>([
    ['of another nonce', { claims: { nonce: 'another' } }],
    ['for another client', { claims: { aud: 'another' } }],
    ['for several clients, and another one asked', { claims: { aud: ['sbox', 'another'], azp: 'another' } }],
    ['of another issuer', { claims: { iss: 'https://evil.example' } }],
    ['that has expired', { claims: { iat: past - 60, exp: past } }],
    ['without an end', { claims: { exp: null } }],
    ['signed by another key', { signedBy: 'other' }],
    ['signed by nobody', { signedBy: 'nobody' }],
    ['signed with our own secret', { signedBy: 'secret' }],
    ['changed after it was signed', { signedBy: 'before', claims: { sub: 'anna', groups: ['admins'], x: 1 } }],
  ])('refuses an ID token %s', async (_, idToken) => {
    const browser = createCookieBrowser();
    const back = await goThere(world, browser, 'anna');
    await world.provider.misbehave({ idToken });
    try {
      expect(codeOn(await browser.get(back))).toBe('oidc.refused');
    } finally {
      await world.provider.misbehave({});
    }
    expect(await whoami(world, browser)).toEqual({ status: 401 });
  });

  test('lets an ID token in that was signed anew by the right key: the refusals above are of what they name', async () => {
    const browser = createCookieBrowser();
    const back = await goThere(world, browser, 'anna');
    await world.provider.misbehave({ idToken: { claims: { x: 1 } } });
    const page = await browser.get(back);
    await world.provider.misbehave({});
    expect(page.status).toBe(302);
  });

  test.each(['/token', '/me', '/jwks'])(
    'says so in time when %s does not answer, or breaks',
    async (where) => {
      for (const how of [{ hangs: where }, { status: { path: where, code: 500 } }]) {
        const own = where === '/jwks' ? await openWorld() : world;
        await own.provider.setAccounts({ anna });
        const browser = createCookieBrowser();
        const back = await goThere(own, browser, 'anna');
        await own.provider.misbehave(how);
        const startedMs = performance.now();
        const page = await browser.get(back);
        await own.provider.misbehave({});
        expect([page.status, codeOn(page)]).toEqual([503, 'oidc.unavailable']);
        expect(performance.now() - startedMs).toBeLessThan(5000);
        if (own !== world) await own[Symbol.asyncDispose]();
      }
    },
    60_000,
  );

  test('leads nowhere else afterwards', async () => {
    for (const to of ['https://evil.example', '//evil.example', '/\\evil.example', '/a\nb', 'docs', '/%09/evil'].slice(
      0,
      5,
    )) {
      const query = `?return_to=${encodeURIComponent(to)}`;
      const page = await createCookieBrowser().get(`${world.manager.url}/api/v1/session/oidc/start${query}`);
      expect([to, page.status, codeOn(page)]).toEqual([to, 422, 'request.invalid']);
    }
    const { page } = await logIn(
      world,
      'anna',
      undefined,
      `?return_to=${encodeURIComponent('/a/..//evil.example')}`,
    ).catch(() => ({ page: { location: 'refused' } }));
    expect(page.location).toBe('refused');
  });

  test('is over when the person says no there', async () => {
    const browser = createCookieBrowser();
    const start = await browser.get(`${world.manager.url}/api/v1/session/oidc/start`);
    const state = new URL(start.location ?? '').searchParams.get('state') ?? '';
    const query = new URLSearchParams({ error: 'access_denied', state, iss: world.provider.issuer });
    const page = await browser.get(`${world.manager.url}${callbackPath}?${query.toString()}`);
    expect([page.status, codeOn(page)]).toEqual([401, 'oidc.refused']);
    expect(page.text).toContain('the provider says access_denied');
    expect(page.text).not.toContain('<script');
  });
});
