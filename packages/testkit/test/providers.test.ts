import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startFleet, watchEngine, type Fleet, type Provider } from '../src/index.ts';

type Body = Parameters<Provider['setBody']>[0];

let fleet: Fleet;

/** The nodes that answer first, then others that nobody listens behind, up to `count`. */
function listOf(count: number): Body {
  const dead = Array.from({ length: 17 }, (_, at) => `trojan://secret@127.0.0.1:${at + 1}?sni=example.test#Dead ${at}`);
  const links = [...fleet.provider.nodes.map(({ link }) => link), ...dead];
  return { body: links.slice(0, count).join('\n') };
}

const refresh = async (accept = false) =>
  await fleet.manager.client.subscriptions.refresh({ params: { id: 'provider' }, query: { accept } });
const subscription = async () => await fleet.manager.client.subscriptions.get({ params: { id: 'provider' } });

async function untilCommitted(generation: number): Promise<void> {
  await fleet.agent.until(`on generation ${generation}`, ({ phase, running }) => {
    return phase === 'committed' && running?.generation === generation;
  });
}

beforeAll(async () => {
  fleet = await startFleet({ watch: '200ms', manager: { FETCH_TIMEOUT: '700ms' } });
  fleet.provider.setBody(listOf(20));
  await refresh();
  await untilCommitted(2);
}, 60_000);

afterAll(async () => await fleet[Symbol.asyncDispose]());

const failures: { of: string; body: () => Body; code: string; detail: RegExp }[] = [
  { of: 'a web page', body: () => 'html', code: 'subscription.html', detail: /html/i },
  { of: '500', body: () => 'error', code: 'fetch.status', detail: /500/ },
  { of: 'no answer', body: () => 'hang', code: 'fetch.timeout', detail: /700 ms/ },
  { of: 'an empty body', body: () => 'empty', code: 'subscription.empty', detail: /./ },
  { of: 'neither nodes nor links', body: () => ({ body: '# see you soon\n' }), code: 'subscription', detail: /./ },
];

test.each(failures)('$of: the last good version stays, and everybody is told why', async ({ body, code, detail }) => {
  using watch = await watchEngine(fleet);
  const { client } = fleet.manager;
  const before = await subscription();
  fleet.provider.setBody(body());
  const fetched = await refresh();
  expect(fetched).toMatchObject({ outcome: expect.stringMatching(/failed|quarantined/), version: 2 });
  expect(fetched.code).toMatch(new RegExp(`^${code}`));
  const after = await subscription();
  expect(after).toMatchObject({ version: 2, nodes: 20, revision: before.revision });
  expect(after.last_fetch).toMatchObject({
    outcome: fetched.outcome,
    code: fetched.code,
    detail: expect.stringMatching(detail),
  });
  const { items } = await client.events.list({ query: { type: 'subscription.', limit: 1 } });
  expect(items).toMatchObject([
    fetched.outcome === 'failed'
      ? { type: 'subscription.fetch-failed', data: { subscription_id: after.id, code: fetched.code } }
      : { type: 'subscription.quarantined', data: { subscription_id: after.id, nodes: 0, last_nodes: 20 } },
  ]);
  expect(await client.configs.generate({ params: { id: 'main' }, body: {} })).toMatchObject({ created: false });
  expect(await fleet.request()).toBe('origin-ok');
  await watch.assertUntouched();

  fleet.provider.setBody(listOf(20));
  expect(await refresh()).toMatchObject({ outcome: 'unchanged', code: null });
  expect((await subscription()).last_fetch).toMatchObject({ outcome: 'unchanged', code: null });
});

test('90 % fewer nodes are set aside until somebody says that they are right', async () => {
  using watch = await watchEngine(fleet);
  const { client } = fleet.manager;
  fleet.provider.setBody(listOf(2));
  // Again and again: neither time nor a second look makes it good.
  for (const turn of [1, 2])
    expect([turn, await refresh()]).toMatchObject([turn, { outcome: 'quarantined', code: 'subscription.quarantined' }]);
  const { id, last_fetch, ...kept } = await subscription();
  expect(kept).toMatchObject({ version: 2, nodes: 20 });
  expect(last_fetch?.detail).toBe('2 nodes came, the last good version has 20');
  const { items } = await client.events.list({ query: { type: 'subscription.quarantined', limit: 1 } });
  expect(items).toMatchObject([{ data: { subscription_id: id, nodes: 2, last_nodes: 20 } }]);
  expect(await fleet.agent.local.status()).toMatchObject({ running: { generation: 2 } });
  await watch.assertUntouched();

  expect(await refresh(true)).toMatchObject({ outcome: 'changed', version: 3, code: null });
  await untilCommitted(3);
  expect(await subscription()).toMatchObject({ version: 3, nodes: 2, last_fetch: { outcome: 'changed' } });
  expect(await fleet.request()).toBe('origin-ok');
});
