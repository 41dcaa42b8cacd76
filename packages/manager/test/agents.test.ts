import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { createKeyPair } from '@sbox/daemon/keys';
import { signRequest } from '@sbox/daemon/signature';
import {
  agentRoutes,
  agentStreamPath,
  agentSubprotocol,
  createClient,
  managerFrameSchema,
  trustSchema,
  type AgentStatus,
  type ManagerFrame,
} from '@sbox/protocol';
import { WebSocket } from 'ws';
import * as z from 'zod/mini';
import { codeOf, createTransport, enrolBody, joinAgent, openManager, type TestAgent } from './open-manager.ts';

const text = 'trojan://example-password@192.0.2.1:443#One';

async function openDeployed() {
  const manager = await openManager();
  const { client } = manager;
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const agent = await joinAgent(manager, 'edge');
  await client.configs.deploy({ params: { id: 'home' }, body: {} });
  return { manager, client, agent, [Symbol.asyncDispose]: async () => await manager[Symbol.asyncDispose]() };
}

describe('joining', () => {
  test('with one token at once by twenty: one wins', async () => {
    await using manager = await openManager();
    const { token } = await manager.client.joinTokens.create({ body: {} });
    const anonymous = createClient(
      agentRoutes,
      createTransport(manager.manager.url, () => ({})),
    );
    const codes = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, index) => await codeOf(anonymous.enrol({ body: enrolBody(token, createKeyPair(), `s${index}`) })),
      ),
    );
    expect(codes.filter((code) => code === 'none')).toHaveLength(1);
    expect(codes.filter((code) => code === 'join-token.used')).toHaveLength(19);
    expect((await manager.client.servers.list({})).items).toHaveLength(1);
  });

  test('again with the same key gives the same server, whose answer was lost', async () => {
    await using manager = await openManager();
    const { token } = await manager.client.joinTokens.create({ body: { name: 'given' } });
    const anonymous = createClient(
      agentRoutes,
      createTransport(manager.manager.url, () => ({})),
    );
    const body = enrolBody(token, createKeyPair(), 'host');
    const first = await anonymous.enrol({ body });
    expect(first.name).toBe('given');
    expect((await anonymous.enrol({ body })).server_id).toBe(first.server_id);
  });

  test('needs the right secret, a fresh token and the private key', async () => {
    await using manager = await openManager();
    const { token, id } = await manager.client.joinTokens.create({ body: { ttl: '1s' } });
    const anonymous = createClient(
      agentRoutes,
      createTransport(manager.manager.url, () => ({})),
    );
    const good = enrolBody(token, createKeyPair(), 'host');
    expect(await codeOf(anonymous.enrol({ body: { ...good, secret: 'x' } }))).toBe('join-token.invalid');
    const stolen = { ...good, proof: enrolBody(token, createKeyPair(), 'host').proof };
    expect(await codeOf(anonymous.enrol({ body: stolen }))).toBe('request.invalid');
    await manager.client.joinTokens.remove({ params: { id } });
    expect(await codeOf(anonymous.enrol({ body: good }))).toBe('join-token.invalid');
  });

  test('begins with a trust document that the root key signed', async () => {
    const beganS = Math.floor(Date.now() / 1000);
    await using manager = await openManager();
    const anonymous = createClient(
      agentRoutes,
      createTransport(manager.manager.url, () => ({})),
    );
    const { root_key, trust, ca_pem } = await anonymous.trust();
    expect(ca_pem).toContain('BEGIN CERTIFICATE');
    const digest = await crypto.subtle.digest('SHA-256', Buffer.from(root_key, 'base64'));
    expect(`sha256:${Buffer.from(digest).toString('hex')}`).toBe(manager.manager.pin);
    const says = z.parse(trustSchema, JSON.parse(Buffer.from(trust.payload, 'base64').toString()));
    expect(says.schema).toBe(1);
    // Its time in seconds, so that a manager restored from yesterday never says an old one again.
    expect(says.version).toBeGreaterThanOrEqual(beganS);
    expect(says.version).toBeLessThanOrEqual(Date.now() / 1000);
    await manager.restart();
    const again = createClient(
      agentRoutes,
      createTransport(manager.manager.url, () => ({})),
    );
    expect((await again.trust()).trust).toEqual(trust);
  });
});

describe('asking', () => {
  test('for what one has already gives 304, and waits for something newer', async () => {
    await using fleet = await openDeployed();
    const { agent, client } = fleet;
    const first = await agent.manifest();
    expect(first?.etag).toMatch(/^"1\.1\.[0-9a-f]{16}"$/);
    expect(await agent.manifest({ 'if-none-match': first?.etag ?? '' })).toBeUndefined();
    await agent.refuse();
    const waiting = agent.manifest({ 'if-none-match': first?.etag ?? '', prefer: 'respond-async, wait=30' });
    await client.configs.deploy({ params: { id: 'home' }, body: {} });
    expect((await waiting)?.manifest.generation).toBe(2);
  });

  test('for content gives only what the own manifest names, compressed where it may be', async () => {
    await using fleet = await openDeployed();
    const { agent, manager } = fleet;
    const digest = (await agent.manifest())?.manifest.units[0]?.config.digest ?? '';
    const plain = await agent.client.blob({ params: { digest }, headers: { 'accept-encoding': 'identity' } });
    expect(plain.encoding).toBeUndefined();
    const other = await joinAgent(manager, 'other');
    expect(await codeOf(other.client.blob({ params: { digest } }))).toBe('blob.not-found');
    expect(await codeOf(agent.client.blob({ params: { digest: `sha256:${'0'.repeat(64)}` } }))).toBe('blob.not-found');
  });

  test('is over for a server that was removed, also for one that waits', async () => {
    await using fleet = await openDeployed();
    const { agent, client } = fleet;
    const etag = (await agent.manifest())?.etag ?? '';
    const waiting = codeOf(agent.manifest({ 'if-none-match': etag, prefer: 'wait=30' }));
    await client.servers.remove({ params: { id: 'edge' }, headers: { 'if-match': '*' } });
    expect(await waiting).toBe('auth.revoked');
    expect(await codeOf(agent.manifest())).toBe('auth.revoked');
  });
});

describe('statuses', () => {
  test('are taken once, whatever is sent again', async () => {
    await using fleet = await openDeployed();
    const { agent, client } = fleet;
    await agent.commit();
    const { status: shown } = await client.servers.get({ params: { id: 'edge' } });
    const status = shown as AgentStatus;
    const events = async () => (await client.events.list({ query: { type: 'server.' } })).items.length;
    const before = await events();
    for (let time = 0; time < 3; time += 1) await agent.client.status({ body: { ...status, phase: 'degraded' } });
    expect(await events()).toBe(before);
    expect(await client.servers.get({ params: { id: 'edge' } })).toMatchObject({ state: 'healthy' });
    const answer = await agent.client.status({ body: { ...status, seq: status.seq + 1 } });
    expect(answer).toMatchObject({ ack_seq: status.seq + 1, desired: { epoch: 1, generation: 1 } });
  });

  test('survive a restart when they carry a verdict', async () => {
    await using fleet = await openDeployed();
    await fleet.agent.commit();
    await fleet.manager.restart();
    const server = await fleet.manager.client.servers.get({ params: { id: 'edge' } });
    expect(server).toMatchObject({ state: 'healthy', status: { committed: { epoch: 1, generation: 1 } } });
  });

  test('of an agent that was away bring a draft', async () => {
    await using fleet = await openDeployed();
    const document = {
      outbounds: [{ type: 'trojan', tag: 'x', server: '192.0.2.9', server_port: 443, password: 'p' }],
    };
    const body = Buffer.from(JSON.stringify(document));
    expect(await fleet.agent.client.draft({ body })).toEqual({ subscription: 'draft-edge' });
    expect(await fleet.agent.client.draft({ body })).toEqual({ subscription: 'draft-edge' });
    const draft = await fleet.client.subscriptions.get({ params: { id: 'draft-edge' } });
    expect(draft).toMatchObject({ nodes: 1, version: 1 });
    // Once a config is made of it, the server cannot change what others run.
    await fleet.client.configs.create({ body: { name: 'taken', subscriptions: ['draft-edge'] } });
    const other = Buffer.from(body.toString().replace('192.0.2.9', '192.0.2.66'));
    expect(await fleet.agent.client.draft({ body: other })).toEqual({ subscription: 'draft-edge-2' });
    expect(await fleet.client.subscriptions.get({ params: { id: 'draft-edge' } })).toMatchObject({ version: 1 });
  });
});

test('an agent of a later version may ask more than this manager knows; people may not', async () => {
  await using manager = await openManager();
  const agent = await joinAgent(manager, 'edge');
  const where = '/api/agent/v1/desired?later=1';
  const request = { method: 'GET', path: where, headers: {}, body: new Uint8Array() };
  const headers = await signRequest(request, agent.id, agent.key, systemClock);
  const answer = await fetch(`${manager.manager.url}${where}`, { headers });
  expect(await answer.json()).toMatchObject({ code: 'server.not-assigned' });
  const asked = await fetch(`${manager.manager.url}/api/v1/status?later=1`, {
    headers: { authorization: `Bearer ${manager.adminToken}` },
  });
  expect(await asked.json()).toMatchObject({ status: 422, code: 'request.invalid' });
});

/** A socket of an agent, with the frames that came. */
async function openSocket(url: string, agent: TestAgent) {
  const empty = new Uint8Array();
  const request = { method: 'GET', path: agentStreamPath, headers: {}, body: empty };
  const headers = await signRequest(request, agent.id, agent.key, systemClock);
  const socket = new WebSocket(`${url.replace('http', 'ws')}${agentStreamPath}`, agentSubprotocol, { headers });
  const frames: ManagerFrame[] = [];
  let wake = (): void => {};
  socket.on('message', (data: Buffer) => {
    frames.push(z.parse(managerFrameSchema, JSON.parse(data.toString())));
    wake();
  });
  const next = async (): Promise<ManagerFrame> => {
    while (frames.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return frames.shift() as ManagerFrame;
  };
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  return { socket, next, closed };
}

describe('the socket', () => {
  test('welcomes, hints at what is new, and is one for each server', async () => {
    await using fleet = await openDeployed();
    const { manager, agent, client } = fleet;
    const first = await openSocket(manager.manager.url, agent);
    expect(await first.next()).toMatchObject({
      type: 'welcome',
      data: { heartbeat_ms: 30_000, desired: { epoch: 1, generation: 1 } },
    });
    first.socket.send(JSON.stringify({ type: 'heartbeat', timestamp: new Date().toISOString(), data: { seq: 1 } }));
    await agent.refuse();
    await client.configs.deploy({ params: { id: 'home' }, body: {} });
    expect(await first.next()).toMatchObject({ type: 'hint', data: { epoch: 1, generation: 2 } });
    const second = await openSocket(manager.manager.url, agent);
    expect((await second.next()).type).toBe('welcome');
    expect((await first.closed)[0]).toBe(4409);
    await client.servers.remove({ params: { id: 'edge' }, headers: { 'if-match': '*' } });
    expect((await second.closed)[0]).toBe(4401);
  });

  test('is not opened without a signature', async () => {
    await using fleet = await openDeployed();
    const { manager, agent } = fleet;
    const stranger = await openSocket(manager.manager.url, { ...agent, key: createKeyPair() }).catch(() => undefined);
    const refused = new Promise<number>((resolve) => {
      stranger?.socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    });
    stranger?.closed.catch(() => {});
    expect(await refused).toBe(401);
    // Who did not come in is in the audit log as for any other request, at the latest when the manager stops.
    await manager.restart();
    const { items } = await manager.client.audit.list({ query: { result: 'denied' } });
    expect(items).toContainEqual(
      expect.objectContaining({ object: expect.objectContaining({ actions: ['openStream'] }) }),
    );
  });

  test('is cut when it is refused, also when the caller keeps its half open', async () => {
    await using fleet = await openDeployed();
    const { port } = new URL(fleet.manager.manager.url);
    const caller = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    caller.on('error', () => {});
    caller.setTimeout(2000, () => caller.destroy(new Error('nobody cut it')));
    caller.write('GET /nothing HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    let answer = '';
    caller.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await once(caller, 'end');
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    // Its other half is gone too: what is written now is answered by a reset.
    const failed = once(caller, 'error');
    caller.write('more');
    caller.write('more');
    expect(((await failed)[0] as { code?: string }).code).toMatch(/ECONNRESET|EPIPE/);
  });

  test('is told when the manager stops', async () => {
    const fleet = await openDeployed();
    const socket = await openSocket(fleet.manager.manager.url, fleet.agent);
    await socket.next();
    await fleet[Symbol.asyncDispose]();
    expect((await socket.next()).type).toBe('drain');
    expect((await socket.closed)[0]).toBe(1012);
  });
});
