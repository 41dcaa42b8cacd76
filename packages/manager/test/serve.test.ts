import { request as httpsRequest } from 'node:https';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { serve } from '../src/serve.ts';
import { codeOf, joinAgent, openManager } from './open-manager.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'sbox-serve-'));
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

/** Serves until `use` is done, and hands it the ready line. */
async function served(flags: Record<string, unknown>, use: (ready: Record<string, string>) => Promise<void>) {
  const stopping = new AbortController();
  let log = '';
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk);
      done();
    },
  });
  let isReady: (text: string) => void = () => {};
  const line = new Promise<string>((resolve) => {
    isReady = resolve;
  });
  const streams = { stdout: { write: (text: string) => isReady(text) }, stderr, signal: stopping.signal };
  const running = serve({ flags, environment: {}, ready: true }, streams);
  try {
    const ready = await Promise.race([line, running.then(() => '{}')]);
    await use(JSON.parse(ready) as Record<string, string>);
  } finally {
    stopping.abort();
    await running;
  }
  return log;
}

describe('serving', () => {
  test('says where, with the token file and the pin, and nothing of it in the log', async () => {
    const flags = { data_dir: path.join(directory, 'one'), listen: [{ address: '127.0.0.1:0' }] };
    let token = '';
    const log = await served(flags, async (ready) => {
      expect(ready).toMatchObject({ ready: true, pin: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as unknown });
      token = (await readFile(ready['admin_token_file'] ?? '', 'utf8')).trim();
      const answer = await fetch(`${ready['url']}/api/v1/status`, { headers: { authorization: `Bearer ${token}` } });
      expect(await answer.json()).toMatchObject({ pin: ready['pin'], epoch: 1, subscriptions: 0 });
      expect((await fetch(`${ready['url']}/healthz`)).status).toBe(200);
      expect((await fetch(`${ready['url']}/api/v1/status`)).status).toBe(401);
      expect((await fetch(`${ready['url']}/docs`)).status).toBe(200);
    });
    expect(log).toContain('manager is ready');
    expect(log).not.toContain(token);
    const next = /sboxmgr status --manager http:\/\/127\.0\.0\.1:\d+ --token-file \S+\/one\/admin-token/;
    expect(log).toMatch(next);
    // Once: it is no news at the next start.
    expect(await served(flags, async () => {})).not.toMatch(next);
  });

  test('speaks TLS off loopback with a certificate of its own CA', async () => {
    const flags = {
      data_dir: path.join(directory, 'tls'),
      listen: [{ address: '127.0.0.1:0', tls: 'on', serves: ['agents'] }],
    };
    await served(flags, async (ready) => {
      const ca = await readFile(ready['ca_file'] ?? '');
      const get = async (where: string, trusted: Buffer | undefined) =>
        await new Promise<number>((resolve, reject) => {
          httpsRequest(`${ready['url']}${where}`, trusted ? { ca: trusted } : {}, (response) => {
            expect(response.headers['strict-transport-security']).toBe('max-age=31536000');
            response.resume();
            resolve(response.statusCode ?? 0);
          })
            .on('error', reject)
            .end();
        });
      expect(await get('/api/agent/v1/trust', ca)).toBe(200);
      expect(await get('/readyz', ca)).toBe(200);
      // A door for agents has nothing for people.
      expect(await get('/api/v1/status', ca)).toBe(404);
      await expect(get('/healthz', undefined)).rejects.toThrow(/certificate/);
    });
  });

  test('refuses what would open a hole, what is wrong, and what another manager holds', async () => {
    const attempt = async (flags: Record<string, unknown>) =>
      await codeOf(served(flags, async () => await Promise.resolve()));
    const data_dir = path.join(directory, 'two');
    const plain = [{ address: '0.0.0.0:0', tls: 'off' }];
    expect(await attempt({ data_dir, listen: plain })).toBe('settings.unsafe');
    expect(await attempt({ data_dir, fetch: { allow: ['nonsense'] } })).toBe('settings.invalid');
    for (const origin of ['*', 'null', 'panel.example', 'https://panel.example/', 'https://panel.example:443'])
      expect(await attempt({ data_dir, cors: { origins: [origin] } })).toBe('settings.invalid');
    expect(await attempt({ data_dir, listen: plain, trusted_proxies: ['10.0.0.0/8'] })).toBe('none');
    const listen = [{ address: '127.0.0.1:0' }];
    expect(await attempt({ data_dir, listen, tls: { cert_file: '/nowhere', key_file: '/nowhere' } })).toBe(
      'settings.invalid',
    );
    expect(await attempt({ data_dir, listen, tls: { cert_file: '/nowhere' } })).toBe('settings.invalid');
    await served({ data_dir, listen }, async (ready) => {
      expect(await attempt({ data_dir, listen })).toBe('manager.running');
      const address = new URL(ready['url'] ?? '').host;
      expect(await attempt({ data_dir: path.join(directory, 'three'), listen: [{ address }] })).toBe('port.in-use');
    });
  });
});

test('a listener has the headers of its kind, and origins that are listed may read', async () => {
  const origin = 'https://panel.example';
  const flags = {
    data_dir: path.join(directory, 'cors'),
    listen: [{ address: '127.0.0.1:0' }],
    cors: { origins: [origin] },
  };
  await served(flags, async ({ url }) => {
    const asked = await fetch(`${url}/api/v1/status`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
    });
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, origin]);
    const refused = await fetch(`${url}/api/v1/status`, { headers: { origin } });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
    expect(refused.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(refused.headers.get('strict-transport-security')).toBeNull();
    const page = await fetch(`${url}/docs`);
    expect(page.headers.get('content-security-policy')).toContain('style-src');
  });
});

test('the ten methods of programs: all with a token that may, none with the key of an agent', async () => {
  await using manager = await openManager();
  const agent = await joinAgent(manager, 'edge');
  const { token } = await manager.client.tokens.create({
    body: {
      name: 'program',
      permissions: ['subscriptions:read', 'subscriptions:write', 'configs:read', 'configs:write', 'status:read'],
    },
  });
  const ifMatch = { 'if-match': '*' };
  const source = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };
  const ten = ({ subscriptions, configs, system }: typeof manager.client) => [
    async () => await system.health(),
    async () => await subscriptions.add({ body: { name: 's', source } }),
    async () => await subscriptions.list({}),
    async () => await subscriptions.get({ params: { id: 's' } }),
    async () => await subscriptions.update({ params: { id: 's' }, headers: ifMatch, body: { refresh_every: '2h' } }),
    async () => await configs.create({ body: { name: 'c', subscriptions: ['s'] } }),
    async () => await configs.list({}),
    async () => await configs.update({ params: { id: 'c' }, headers: ifMatch, body: { auto_deploy: false } }),
    async () => await configs.remove({ params: { id: 'c' }, headers: ifMatch }),
    async () => await subscriptions.remove({ params: { id: 's' }, headers: ifMatch }),
  ];
  const codes = async (client: typeof manager.client) => {
    const seen: string[] = [];
    for (const call of ten(client)) seen.push(await codeOf(call()));
    return seen;
  };
  expect(await codes(manager.clientOf(token))).toEqual(Array.from({ length: 10 }, () => 'none'));
  expect(await codes(agent.operator)).toEqual(Array.from({ length: 10 }, () => 'auth.forbidden'));
});
