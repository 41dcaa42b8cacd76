import { age, everyPage, withClient } from './remote.ts';

export const list = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.ruleSets.list({ query }));
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'URL', value: ({ url }) => url },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'BYTES', value: ({ size }) => size },
    { title: 'CHECKED', value: ({ checked_at }) => (checked_at === null ? 'never' : `${age(checked_at, now)} ago`) },
    { title: 'CONFIGS', value: ({ configs }) => configs.join(', ') },
    { title: 'WHY', value: ({ problem }) => problem?.detail ?? '' },
  ]);
});

export const refresh = withClient(async (client, { out, args }) => {
  const { items } = await client.ruleSets.refresh({ body: args.length === 0 ? {} : { urls: [...args] } });
  await out.rows(items, [
    { title: 'URL', value: ({ url }) => url },
    { title: 'OUTCOME', value: ({ outcome }) => outcome },
    { title: 'WHY', value: ({ detail }) => detail ?? '' },
  ]);
  return items.some(({ outcome }) => outcome === 'failed') ? 9 : 0;
});
