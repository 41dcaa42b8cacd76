import { expect, test } from '@jest/globals';
import { openTestDirectory, startManagerProcess } from '../src/index.ts';

const links = [
  'trojan://example-password@192.0.2.1:443?sni=a.example.test#Berlin',
  'ss://YWVzLTEyOC1nY206ZXhhbXBsZS1wYXNz@192.0.2.3:8388#Tokyo',
  'hysteria2://example-password@192.0.2.4:443?sni=d.example.test&obfs=salamander&obfs-password=example#Oslo',
];

test('a manager takes what another one serves, with its nodes and what it says of the plan', async () => {
  await using dir = openTestDirectory('clients');
  await using provider = await startManagerProcess({ dir: dir.file('provider') });
  await using taker = await startManagerProcess({ dir: dir.file('taker') });
  const { client } = provider;
  await client.subscriptions.add({ body: { name: 'own', source: { type: 'inline', text: links.join('\n') } } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['own'] } });
  const { link } = await client.clients.create({
    body: {
      name: 'other',
      config: 'home',
      title: 'Мой план',
      usage: { upload: 1, download: 2, total: 1000 },
      expires_at: '2036-01-01T00:00:00.000Z',
      web_page_url: 'https://plan.example.test/',
    },
  });
  const nodesOf = async (from: typeof client, id: string) =>
    (await from.subscriptions.nodes({ params: { id } })).items.map(({ id: node, tag }) => ({ node, tag }));
  const expected = await nodesOf(client, 'own');
  expect(expected).toHaveLength(3);

  for (const format of ['', '/clash', '/links']) {
    const name = `from${format.replace('/', '-')}`;
    await taker.client.subscriptions.add({ body: { name, source: { type: 'url', url: `${link}${format}` } } });
    expect(await nodesOf(taker.client, name)).toEqual(expected);
    expect(await taker.client.subscriptions.get({ params: { id: name } })).toMatchObject({
      about: { title: 'Мой план', update_interval_hours: 12, web_page_url: 'https://plan.example.test/' },
      usage: { upload: 1, download: 2, total: 1000, expire_at: '2036-01-01T00:00:00.000Z' },
    });
    // Nothing changed, and nothing goes over the wire.
    expect(await taker.client.subscriptions.refresh({ params: { id: name } })).toMatchObject({
      outcome: 'not-modified',
    });
  }
  const { items } = await client.clients.fetches({ params: { id: 'other' } });
  expect(items.map(({ outcome }) => outcome)).toEqual(['', '', ''].flatMap(() => ['not-modified', 'served']));
  expect(items[0]?.user_agent).toMatch(/^sbox\//);
});
