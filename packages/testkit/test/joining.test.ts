import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHttpTransport, createOperatorClient, createServerClock } from '@sbox/agent';
import { formatJoinToken, parseJoinToken, ProblemError, systemClock, toBase64 } from '@sbox/core';
import { createKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { agentRoutes, createClient, enrolProofText, type EnrolBody } from '@sbox/protocol';
import {
  createAgentProcess,
  openTestDirectory,
  startFleet,
  startManagerProcess,
  startTamperingProxy,
  writeTokenFile,
  type ManagerProcess,
  type TestDirectory,
} from '../src/index.ts';

let dir: TestDirectory;
let manager: ManagerProcess;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  dir = stack.use(openTestDirectory('joining'));
  manager = stack.use(await startManagerProcess({ dir: dir.file('manager') }));
}, 60_000);

afterAll(async () => await stack.disposeAsync());

const enrolBody = (token: string, key: KeyPair): EnrolBody => {
  const { id, secret } = parseJoinToken(token);
  const publicKey = toBase64(key.publicKey);
  return {
    token_id: id,
    secret,
    public_key: publicKey,
    proof: toBase64(key.sign(Buffer.from(enrolProofText(id, publicKey)))),
    name: 'joiner',
    agent: { version: '0.1.0', os: 'linux', arch: 'x64', host_name: 'joiner' },
    engines: [],
  };
};

const enrol = async (token: string, key = createKeyPair()): Promise<{ server_id: string }> =>
  await createClient(agentRoutes, manager.transport).enrol({ body: enrolBody(token, key) });

const codeOf = async (call: Promise<unknown>): Promise<string> =>
  await call.then(
    () => 'ok',
    (error: unknown) => (error instanceof ProblemError ? error.code : String(error)),
  );

const newToken = async (ttl = '1h') => await manager.client.joinTokens.create({ body: { ttl } });

test('scenario 25: one token, 20 servers at once: one joins, and may repeat it', async () => {
  const { token } = await newToken();
  const keys = Array.from({ length: 20 }, () => createKeyPair());
  const before = (await manager.client.servers.list()).items.length;
  const codes = await Promise.all(keys.map(async (key) => await codeOf(enrol(token, key))));
  expect(codes.toSorted()).toEqual([...Array.from({ length: 19 }, () => 'join-token.used'), 'ok']);
  expect((await manager.client.servers.list()).items).toHaveLength(before + 1);

  const winner = keys[codes.indexOf('ok')];
  const again = await enrol(token, winner);
  expect(again).toEqual(await enrol(token, winner).then((answer) => ({ ...answer, server_time: expect.any(String) })));
  expect((await manager.client.servers.list()).items).toHaveLength(before + 1);
});

test('a token that was withdrawn, has expired, or was mistyped lets nobody in', async () => {
  const soon = await newToken('1s');
  const { id, token } = await newToken();
  await manager.client.joinTokens.remove({ params: { id } });
  expect(await codeOf(enrol(token))).toBe('join-token.invalid');
  const other = await newToken();
  const guessed = formatJoinToken({ ...parseJoinToken(other.token), secret: parseJoinToken(soon.token).secret });
  expect(await codeOf(enrol(guessed))).toBe('join-token.invalid');
  expect(await codeOf(enrol(`${other.token}x`))).toBe('join-token.invalid');
  while (Date.now() <= Date.parse(soon.expires_at)) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await codeOf(enrol(soon.token))).toBe('join-token.expired');
  expect(await codeOf(enrol(other.token))).toBe('ok');
});

test('a token of another manager: nothing secret is sent to this one', async () => {
  await using wire = await startTamperingProxy(manager.url);
  const { token } = await newToken();
  const { id, secret } = parseJoinToken(token);
  const foreign = formatJoinToken({ id, secret, pin: new Uint8Array(32).fill(7) });
  const file = await writeTokenFile(dir.file('foreign-token'), foreign);
  await using agent = createAgentProcess({ dir: dir.file('foreign') });
  const joined = await agent.command('join', wire.url, '--token-file', file, '-o', 'json');
  expect(joined).toMatchObject({ code: 4, stderr: expect.stringContaining('"manager.untrusted"') });
  expect(wire.requests.map((request) => request.path)).toEqual(['/api/agent/v1/trust']);
  expect(JSON.stringify(wire.requests)).not.toContain(secret);
  expect(existsSync(dir.file('foreign/state/identity.json'))).toBe(false);
  expect(existsSync(file)).toBe(true);
  expect(await codeOf(enrol(token))).toBe('ok');
});

test('a manager with TLS of its own CA, joined by its bare address: down to a request through the proxy', async () => {
  await using fleet = await startFleet({ tls: true });
  expect(fleet.manager.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(await fleet.request()).toBe('origin-ok');
  const status = await fleet.agent.until('on a socket', (now) => now.manager?.transport === 'websocket');
  expect(status.manager).toMatchObject({ url: fleet.manager.url, reachable: true });
  expect(await fleet.manager.command('server', 'list', '-o', 'json')).toMatchObject({ code: 0 });

  // The other manager's token is good, but not here: its pin is of another root key.
  const { token } = await newToken();
  const file = await writeTokenFile(path.join(dir.path, 'other-token'), token);
  await using agent = createAgentProcess({ dir: dir.file('other') });
  const joined = await agent.command('join', fleet.manager.url, '--token-file', file, '-o', 'json');
  expect(joined).toMatchObject({ code: 4, stderr: expect.stringContaining('"manager.untrusted"') });
});

/** The ten methods that an agent's library offers to programs, in an order in which all of them can work. */
const operatorMethods = (client: ReturnType<typeof createOperatorClient>) => {
  const headers = { 'if-match': '*' };
  const source = { type: 'inline' as const, text: 'trojan://secret@192.0.2.1:443?sni=example.test#One' };
  return {
    'get configs': () => client.configs.list(),
    'generate config': () => client.configs.generate({ params: { id: 'scoped' }, body: {} }),
    'update config': () => client.configs.update({ params: { id: 'scoped' }, headers, body: { tests_block: true } }),
    'delete config': () => client.configs.remove({ params: { id: 'scoped' }, headers }),
    'get subscriptions': () => client.subscriptions.list(),
    'add subscription': () => client.subscriptions.add({ body: { name: 'added', source } }),
    'get subscription': () => client.subscriptions.get({ params: { id: 'added' } }),
    'update subscription': () =>
      client.subscriptions.update({ params: { id: 'added' }, headers, body: { min_share: 0.1 } }),
    'delete subscription': () => client.subscriptions.remove({ params: { id: 'added' }, headers }),
    health: () => client.system.health(),
  };
};

test("an agent's own key may use none of the ten operator methods, a scoped token those that it names", async () => {
  const { client } = manager;
  const key = createKeyPair();
  const { server_id: serverId } = await enrol((await newToken()).token, key);
  await client.subscriptions.add({
    body: { name: 'base', source: { type: 'inline', text: 'trojan://secret@192.0.2.1:443?sni=example.test#Base' } },
  });
  await client.configs.create({ body: { name: 'scoped', subscriptions: ['base'] } });

  const shared = { clock: systemClock, log: silentLogger, serverClock: createServerClock(systemClock) };
  await using transport = createHttpTransport({
    ...shared,
    urls: [manager.url],
    ca: null,
    signer: { serverId, key },
    connectTimeoutMs: 1000,
  });
  const retry = { clock: systemClock, random: Math.random, retries: 2, baseMs: 10, capMs: 100 };
  const codesWith = async (accessToken?: string): Promise<Record<string, string>> => {
    const methods = operatorMethods(
      createOperatorClient({ transport: transport.send, retry, ...(accessToken === undefined ? {} : { accessToken }) }),
    );
    const codes: Record<string, string> = {};
    for (const [name, call] of Object.entries(methods)) codes[name] = await codeOf(call());
    return codes;
  };
  const names = Object.keys(operatorMethods(client));
  expect(names).toHaveLength(10);
  const all = (code: string): Record<string, string> => Object.fromEntries(names.map((name) => [name, code]));

  expect(await codesWith()).toEqual(all('auth.forbidden'));
  const reader = await client.tokens.create({ body: { name: 'reader', permissions: ['configs:read', 'status:read'] } });
  expect(await codesWith(reader.token)).toEqual({ ...all('auth.forbidden'), 'get configs': 'ok', health: 'ok' });
  const permissions = ['configs:read', 'configs:write', 'subscriptions:read', 'subscriptions:write', 'status:read'];
  const writer = await client.tokens.create({ body: { name: 'writer', permissions } });
  expect(await codesWith(writer.token)).toEqual(all('ok'));
  expect(await codesWith('not a token')).toEqual(all('auth.invalid'));
});
