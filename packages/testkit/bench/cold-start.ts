// How long a manager takes from its start to its first answer when a hundred thousand versions are stored, and what
// memory it has then; one that has just been made stands beside it.
import { stat } from 'node:fs/promises';
import { round, runBench, summarize } from '../src/bench-report.ts';
import { openTestDirectory, startManagerProcess } from '../src/index.ts';
import { readProcessUsage } from '../src/process-usage.ts';
import { fillVersions } from './storage/fill.ts';
import { configName, managerSettings, seedManager, type Seeded } from './storage/seeded-manager.ts';

const seeded = 20;

interface Start {
  readonly ready: number;
  readonly answered: number;
  readonly anonMb: number;
  readonly rssMb: number;
}

async function startOnce({ dir }: Seeded): Promise<Start> {
  const began = performance.now();
  await using manager = await startManagerProcess({ dir, settings: managerSettings });
  const ready = performance.now() - began;
  const { items } = await manager.client.configs.versions({ params: { id: configName }, query: { limit: 50 } });
  const answered = performance.now() - began;
  if (items.length === 0) throw new Error('there are no versions');
  const { anon_mb, rss_mb } = readProcessUsage(manager.process.pid);
  return { ready, answered, anonMb: anon_mb, rssMb: rss_mb };
}

const options = {
  versions: { default: 100_000, summary: 'stored versions' },
  runs: { default: 5, summary: 'how many starts of each' },
};

await runBench(options, async ({ versions, runs }) => {
  await using dir = openTestDirectory('bench-cold-start');
  const small = await seedManager(dir, 'small', seeded);
  const large = await seedManager(dir, 'large', seeded);
  fillVersions(large.file, large.configId, versions);
  const measured = { small: [] as Start[], large: [] as Start[] };
  for (let turn = 0; turn < runs; turn += 1) {
    measured.small.push(await startOnce(small));
    measured.large.push(await startOnce(large));
  }
  const megabytes = async ({ file }: Seeded): Promise<number> => round((await stat(file)).size / 1e6);
  const row = (what: string, starts: readonly Start[], fileMb: number) => ({
    stored: what,
    'ready p50 ms': summarize(starts.map(({ ready }) => ready)).median,
    'first answer p50 ms': summarize(starts.map(({ answered }) => answered)).median,
    'max ms': summarize(starts.map(({ answered }) => answered)).max,
    'RssAnon MB': round(Math.max(...starts.map(({ anonMb }) => anonMb))),
    'VmRSS MB': round(Math.max(...starts.map(({ rssMb }) => rssMb))),
    'file MB': fileMb,
  });
  const rows = [
    row(`${seeded} versions`, measured.small, await megabytes(small)),
    row(`${versions} versions`, measured.large, await megabytes(large)),
  ];
  return {
    title: `start of a manager to its first page of versions, ${runs} starts of each in turns`,
    rows,
    peer: 'the same manager with few versions',
    data: { versions, runs, rows, starts: measured },
  };
});
