import { expect, test } from '@jest/globals';
import { createKeyPair } from '@sbox/daemon/keys';
import { systemClock, toBase64 } from '@sbox/core';
import { signRequest } from '@sbox/daemon/signature';
import { agentRoutes, keyProofText, operatorContract, routesOf, type Route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { engineProgram } from './engine-program.ts';
import { createTransport, enrolBody, joinAgent, openManager, type TestManager } from './open-manager.ts';

/** What people would do on a first day, in this order; every operation is here once. */
const day = [
  'getLiveness getReadiness getHealth getStatus getMetrics',
  'previewSubscription addSubscription listSubscriptions getSubscription replaceSubscription updateSubscription',
  'refreshSubscription listNodes listFetches listSubscriptionVersions diffSubscriptionVersion pinSubscription',
  'createTemplate listTemplates getTemplate replaceTemplate listTemplateVersions adoptTemplate',
  'createConfig listConfigs getConfig replaceConfig updateConfig generateConfig validateConfig',
  'listConfigVersions getConfigVersion diffConfigVersion rollbackConfig exportConfig',
  'explainConfig testConfig previewUpgrade listCapabilities addEngine listEngines deleteEngine',
  'addServer listServers getServer deployConfig listDeployments getDeployment getServerBundle',
  'createJoinToken listJoinTokens deleteJoinToken createToken listTokens deleteToken listEvents',
  'listRuleSets refreshRuleSets deleteServer deleteConfig deleteTemplate deleteSubscription',
].flatMap((line) => line.split(' '));

const bearer = (manager: TestManager) =>
  createTransport(manager.manager.url, () => ({ authorization: `Bearer ${manager.adminToken}` }));

/** Sends a route's example with its `{placeholders}` filled in. */
async function sendExample(
  send: ReturnType<typeof createTransport>,
  { method, path, example, rawBody, streamBody }: Route,
  names: Record<string, string>,
) {
  const fill = (text: string): string => text.replace(/\{([\w-]+)\}/g, (whole, name: string) => names[name] ?? whole);
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(fill(example.params?.[name] ?? '')),
  );
  const query = new URLSearchParams(
    Object.entries(example.query ?? {}).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const { body } = example;
  const text = body === undefined || streamBody ? undefined : fill(JSON.stringify(body));
  return await send({
    method: method.toUpperCase(),
    path: query.size > 0 ? `${filled}?${query.toString()}` : filled,
    headers: { ...example.headers, ...(text === undefined ? {} : { 'content-type': rawBody ?? 'application/json' }) },
    body: streamBody ? (body as Buffer) : text === undefined ? undefined : Buffer.from(text),
    signal: undefined,
  });
}

test('the example of every operation of people works, and its answer is what was declared', async () => {
  await using manager = await openManager();
  const routes = new Map(routesOf(operatorContract).map((route) => [route.id, route]));
  expect(day.toSorted()).toEqual([...routes.keys()].toSorted());
  const send = bearer(manager);
  const names: Record<string, string> = {};
  for (const id of day) {
    const known = routes.get(id) as Route;
    const route = id === 'addEngine' ? { ...known, example: { ...known.example, body: engineProgram().bytes } } : known;
    const answer = await sendExample(send, route, names);
    const text = Buffer.from(answer.body).toString('utf8');
    expect([id, answer.status, answer.status < 400 ? '' : text]).toEqual([id, route.ok.status, '']);
    if ('bytes' in route.ok) expect(answer.headers['content-type']).toBe(route.ok.bytes);
    if (!('schema' in route.ok)) continue;
    const body = JSON.parse(text) as { id?: string; digest?: string };
    // Strict: an answer must not say more than the documents do.
    expect([id, strictly(route.ok.schema, body)]).toEqual([id, undefined]);
    if (id === 'deployConfig') names['deployment'] = body.id ?? '';
    if (id === 'addEngine') names['engine'] = body.digest ?? '';
    if (id === 'createJoinToken') names['join-token'] = body.id ?? '';
    if (id === 'createToken') names['token'] = body.id ?? '';
  }
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
