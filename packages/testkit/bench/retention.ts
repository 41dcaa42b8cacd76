// What requests wait while retention removes a large number of old versions beside them; and, when it is done, the same
// requests alone.
import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { round, runBench, summarize } from '../src/bench-report.ts';
import { openTestDirectory, startManagerProcess, type ManagerProcess } from '../src/index.ts';
import { fillVersions, makeOld } from './storage/fill.ts';
import { configName, managerSettings, seedManager } from './storage/seeded-manager.ts';

const seeded = 20;
const keep = 50;
const everyMs = 5;
const lookMs = 500;
const deadlineMs = 600_000;

/** Reads and writes in turns, each from its own moment on, until `isOver`. */
async function drive(
  { client }: ManagerProcess,
  isOver: () => boolean,
): Promise<{ reads: number[]; writes: number[] }> {
  const times = { reads: [] as number[], writes: [] as number[] };
  const timed = async (into: number[], run: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    await run();
    into.push(performance.now() - began);
  };
  for (let turn = 0; !isOver(); turn += 1) {
    if (turn % 10 === 0)
      await timed(times.writes, async () => {
        const name = `token-${turn}-${performance.now()}`;
        await client.tokens.create({ body: { name, permissions: ['configs:read'] } });
      });
    else await timed(times.reads, async () => await client.configs.get({ params: { id: configName } }));
    await setTimeout(everyMs);
  }
  return times;
}

/** Over when nothing was removed between two looks. */
function watchRemovals({ client }: ManagerProcess) {
  const ended = { value: false };
  const watch = async (): Promise<number> => {
    const began = performance.now();
    let last = -1;
    for (;;) {
      const { items } = await client.events.list({ query: { type: 'retention.', limit: 1 } });
      const seq = items[0]?.seq ?? 0;
      if (seq === last && seq > 0) break;
      if (performance.now() - began > deadlineMs) throw new Error('retention did not come to its end');
      last = seq;
      await setTimeout(lookMs);
    }
    ended.value = true;
    return performance.now() - began;
  };
  return { ended, done: watch() };
}

const options = {
  versions: { default: 20_000, summary: 'old versions' },
  baseline: { default: 10, summary: 'seconds of the same requests alone' },
};

await runBench(options, async ({ versions, baseline }) => {
  await using dir = openTestDirectory('bench-retention');
  const made = await seedManager(dir, 'manager', seeded);
  fillVersions(made.file, made.configId, versions);
  makeOld(made.file, 365);
  const megabytes = async (): Promise<number> => round((await stat(made.file)).size / 1e6);
  const before = await megabytes();
  await using manager = await startManagerProcess({
    dir: made.dir,
    settings: { ...managerSettings, RETENTION_VERSIONS_KEEP: String(keep), RETENTION_SNAPSHOTS_KEEP: '5' },
  });
  const { ended, done } = watchRemovals(manager);
  const during = await drive(manager, () => ended.value);
  const tookMs = await done;
  const [shown] = (await manager.client.retention.show({ query: { limit: 1 } })).items;
  const until = performance.now() + baseline * 1000;
  const alone = await drive(manager, () => performance.now() > until);

  const row = (what: string, times: readonly number[]) => {
    const { median, p99, max } = summarize(times);
    return { request: what, count: times.length, 'p50 ms': median, 'p99 ms': p99, 'max ms': max };
  };
  const stall = round(summarize(during.reads).p99 - summarize(alone.reads).p99);
  return {
    title: `requests while ${versions} old versions are removed, ${versions - (shown?.stored ?? 0)} in ${round(tookMs / 1000)} s`,
    rows: [
      row('GET one config, meanwhile', during.reads),
      row('GET one config, alone', alone.reads),
      row('POST a token, meanwhile', during.writes),
      row('POST a token, alone', alone.writes),
    ],
    notes: [`${shown?.stored} versions stayed; the file had ${before} MB and has ${await megabytes()} MB`],
    peer: 'the same requests alone, after it in the same run',
    musts: [{ what: 'p99 of reads, more than alone,', value: stall, limit: 10, unit: 'ms' }],
    data: {
      versions,
      took_ms: round(tookMs),
      stayed: shown?.stored,
      during: { reads: summarize(during.reads), writes: summarize(during.writes) },
      alone: { reads: summarize(alone.reads), writes: summarize(alone.writes) },
    },
  };
});
