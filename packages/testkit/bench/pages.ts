// A page of a thousand out of a million rows through the API, the first one and one from the depth.
import { round, runBench, summarize } from '../src/bench-report.ts';
import { openTestDirectory, startManagerProcess } from '../src/index.ts';
import { fillEvents, fillVersions } from './storage/fill.ts';
import { configName, managerSettings, seedManager } from './storage/seeded-manager.ts';

const seeded = 20;
const limit = 1000;

const cursorOf = (number: number): string => Buffer.from(JSON.stringify([number])).toString('base64url');

const options = {
  rows: { default: 1_000_000, summary: 'events' },
  versions: { default: 100_000, summary: 'versions of one config' },
  requests: { default: 300, summary: 'of each page, one after another' },
};

await runBench(options, async ({ rows: events, versions, requests }) => {
  await using dir = openTestDirectory('bench-pages');
  const made = await seedManager(dir, 'manager', seeded);
  fillEvents(made.file, events);
  fillVersions(made.file, made.configId, versions);
  await using manager = await startManagerProcess({ dir: made.dir, settings: managerSettings });
  const token = `Bearer ${await tokenOf(manager)}`;

  const ask = async (path: string): Promise<{ ms: number; bytes: number }> => {
    const began = performance.now();
    const response = await fetch(`${manager.url}${path}`, { headers: { authorization: token } });
    const body = await response.arrayBuffer();
    const ms = performance.now() - began;
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
    return { ms, bytes: body.byteLength };
  };
  const versionsPath = `/api/v1/configs/${configName}/versions?limit=${limit}`;
  const pages = {
    'events, the first page': `/api/v1/events?limit=${limit}`,
    'events, from the middle': `/api/v1/events?limit=${limit}&cursor=${cursorOf(Math.round(events / 2))}`,
    'events, the last page': `/api/v1/events?limit=${limit}&cursor=${cursorOf(limit + 1)}`,
    'versions, the first page': versionsPath,
    'versions, from the middle': `${versionsPath}&cursor=${cursorOf(Math.round(versions / 2))}`,
    'versions, a page of 50 from the middle': `${versionsPath.replace('1000', '50')}&cursor=${cursorOf(Math.round(versions / 2))}`,
  };
  const measured = [];
  for (const [page, path] of Object.entries(pages)) {
    for (let turn = 0; turn < 20; turn += 1) await ask(path);
    const answers = [];
    for (let turn = 0; turn < requests; turn += 1) answers.push(await ask(path));
    measured.push({
      page,
      ...summarize(answers.map(({ ms }) => ms)),
      kilobytes: round((answers[0]?.bytes ?? 0) / 1000),
    });
  }
  const slowest = Math.max(...measured.filter(({ page }) => page.startsWith('events')).map(({ p99 }) => p99));
  return {
    title: `pages of ${limit} through the API: ${events} events, ${versions} versions of one config; ${requests} of each`,
    rows: measured.map(({ page, median, p99, max, kilobytes }) => ({
      page,
      'p50 ms': median,
      'p99 ms': p99,
      'max ms': max,
      KB: kilobytes,
    })),
    musts: [{ what: 'a page of events, p99,', value: slowest, limit: 20, unit: 'ms' }],
    data: { events, versions, requests, limit, pages: measured },
  };
});

async function tokenOf({ client }: Awaited<ReturnType<typeof startManagerProcess>>): Promise<string> {
  const { token } = await client.tokens.create({
    body: { name: 'bench', permissions: ['events:read', 'configs:read'] },
  });
  return token;
}
