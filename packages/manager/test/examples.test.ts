import { expect, test } from '@jest/globals';
import { createKeyPair } from '@sbox/daemon/keys';
import { systemClock, toBase64 } from '@sbox/core';
import { signRequest } from '@sbox/daemon/signature';
import { agentRoutes, keyProofText, operatorContract, routesOf, type Route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { day, sendDay } from './first-day.ts';
import { sendExample } from './send-example.ts';
import { createTransport, enrolBody, joinAgent, openManager } from './open-manager.ts';

test('the example of every operation of people works, and its answer is what was declared', async () => {
  await using manager = await openManager();
  expect(day.toSorted()).toEqual(
    routesOf(operatorContract)
      .map(({ id }) => id)
      .toSorted(),
  );
  await sendDay(manager, async (route, answer) => {
    await Promise.resolve();
    const { id } = route;
    const text = Buffer.from(answer.body).toString('utf8');
    expect([id, answer.status, answer.status < 400 ? '' : text]).toEqual([id, route.ok.status, '']);
    if ('bytes' in route.ok) expect(answer.headers['content-type']).toBe(route.ok.bytes);
    if (!('schema' in route.ok)) return;
    // Strict: an answer must not say more than the documents do.
    expect([id, strictly(route.ok.schema, JSON.parse(text))]).toEqual([id, undefined]);
  });
});

/** What is wrong with an answer, or undefined; keys beyond the schema are wrong too. */
function strictly(schema: z.ZodMiniType, value: unknown): unknown {
  const parsed = z.safeParse(schema, value);
  if (!parsed.success) return parsed.error.issues;
  expect(parsed.data).toEqual(value);
  return undefined;
}

test('the example of every operation of agents works', async () => {
  await using manager = await openManager();
  const { client } = manager;
  const text = 'trojan://example-password@192.0.2.1:443#One';
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const key = createKeyPair();
  const agent = await joinAgent(manager, 'edge', key);
  await client.configs.deploy({ params: { id: 'home' }, body: {} });
  const digest = (await agent.manifest())?.manifest.units[0]?.config.digest ?? '';
  const next = createKeyPair();
  const { token } = await client.joinTokens.create({ body: {} });
  const body = enrolBody(token, createKeyPair(), 'example');
  const names = {
    digest,
    'join-token': body.token_id,
    secret: body.secret,
    'public-key': body.public_key,
    proof: body.proof,
    'next-public-key': toBase64(next.publicKey),
    'next-proof': toBase64(next.sign(Buffer.from(keyProofText(agent.id, toBase64(next.publicKey))))),
  };
  const { status } = await client.servers.get({ params: { id: 'edge' } });
  const send = createTransport(manager.manager.url, async ({ method, path, body: sent }) => {
    const content = sent ?? new Uint8Array();
    return await signRequest({ method, path, headers: {}, body: content }, agent.id, key, systemClock);
  });
  const seen: string[] = [];
  for (const route of Object.values(agentRoutes) as Route[]) {
    const filled = route.id === 'postStatus' ? { ...route, example: { body: status } } : route;
    const withBody = route.id === 'postDraft' ? { ...route, example: { body: { outbounds: [] } } } : filled;
    const answer = await sendExample(send, withBody, names);
    expect([route.id, answer.status, answer.status < 400 ? '' : Buffer.from(answer.body).toString()]).toEqual([
      route.id,
      route.ok.status,
      '',
    ]);
    seen.push(route.id);
  }
  expect(seen).toHaveLength(7);
});
