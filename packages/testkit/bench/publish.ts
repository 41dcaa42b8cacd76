// From a changed subscription to the proxy of one online agent: how long until the new version serves, and until it is
// committed. All times are those of the manager's events, whose clock is ours.
import { setTimeout } from 'node:timers/promises';
import { buildAgent } from '../src/agent-bundle.ts';
import { runBench, summarize, type Summary } from '../src/bench-report.ts';
import { openTestDirectory, startFleet, watchEngine, type Fleet } from '../src/index.ts';

const watchMs = 500;
const pollMs = 25;
const verdictMs = 30_000;

/** In the order in which they come; `subscription.changed` is when publishing begins. */
const steps = {
  'config.version-created': 'rendered and checked',
  'deployment.started': 'signed and offered to the agent',
  'server.serving': 'serving',
  'server.committed': `committed, after a watch of ${watchMs} ms`,
};
type StepName = keyof typeof steps;

/** Events since `seq`, oldest first, once the last of them is `until`. */
async function eventsUntil({ manager: { client } }: Fleet, until: string, seq: number) {
  const deadline = performance.now() + verdictMs;
  while (performance.now() < deadline) {
    const { items } = await client.events.list({ query: { limit: 20 } });
    const fresh = items.filter((event) => event.seq > seq).toReversed();
    if (fresh.some(({ type }) => type === until)) return fresh;
    await setTimeout(pollMs);
  }
  throw new Error(`no ${until} after ${verdictMs} ms`);
}

async function newestSeq({ manager: { client } }: Fleet): Promise<number> {
  const { items } = await client.events.list({ query: { limit: 1 } });
  return items[0]?.seq ?? 0;
}

type Published = Readonly<Record<StepName | 'from-refresh', number>>;

/** The same nodes under other names, fetched, rendered and deployed; milliseconds since the change was known. */
async function publish(fleet: Fleet, turn: number): Promise<Published> {
  const { manager, provider } = fleet;
  provider.setBody({ body: provider.nodes.map(({ link }) => `${link}%20v${turn}`).join('\n') });
  const before = await newestSeq(fleet);
  const began = Date.now();
  await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  const events = await eventsUntil(fleet, 'server.committed', before);
  const at = (type: string): number =>
    Date.parse(events.find((event) => event.type === type)?.timestamp ?? `there was no ${type}`);
  const since = (type: string): number => at(type) - at('subscription.changed');
  const times = Object.keys(steps).map((type) => [type, since(type)]);
  return { ...Object.fromEntries(times), 'from-refresh': at('server.serving') - began } as Published;
}

/** The same again without a change: nothing may be touched, which an open connection would not outlive. */
async function publishNothing(fleet: Fleet): Promise<number> {
  const { client } = fleet.manager;
  const before = await newestSeq(fleet);
  using engine = await watchEngine(fleet);
  const began = performance.now();
  await client.subscriptions.refresh({ params: { id: 'provider' } });
  const { created } = await client.configs.generate({ params: { id: fleet.configId }, body: {} });
  const { state } = await fleet.deploy();
  const ms = performance.now() - began;
  await engine.assertUntouched();
  const { items } = await client.events.list({ query: { type: 'server.serving', limit: 5 } });
  if (created || state !== 'succeeded' || items.some(({ seq }) => seq > before))
    throw new Error(`a publish without a change was none: ${JSON.stringify({ created, state, items })}`);
  return ms;
}

const options = {
  runs: { default: 10, summary: 'how many versions' },
  bundle: { default: '', summary: 'a bundle of the agent; without it one is built' },
};

await runBench(options, async ({ runs, bundle }) => {
  await using dir = openTestDirectory('bench-publish');
  await using fleet = await startFleet({
    watch: `${watchMs}ms`,
    manager: { LIMITS_TOKEN: '1000000' },
    agentProgram: await buildAgent(dir.path, bundle),
  });
  const published: Published[] = [];
  for (let turn = 1; turn <= runs; turn += 1) published.push(await publish(fleet, turn));
  const noop: number[] = [];
  for (let turn = 1; turn <= runs; turn += 1) noop.push(await publishNothing(fleet));

  const of = (name: keyof Published): Summary => summarize(published.map((times) => times[name]));
  const row = (until: string, { median, p90, max }: Summary) => ({
    until,
    'median ms': median,
    'p90 ms': p90,
    'max ms': max,
  });
  const serving = of('server.serving');
  return {
    title: `publish to one online agent, ${runs} versions, from the moment the change is known`,
    rows: [
      ...Object.entries(steps).map(([name, label]) => row(label, of(name as StepName))),
      row('serving, from the call that fetches', of('from-refresh')),
      row('nothing changed: fetched, deployed, untouched', summarize(noop)),
    ],
    musts: [
      { what: 'serving, median,', value: serving.median, limit: 500, unit: 'ms' },
      { what: 'serving, each time,', value: serving.max, limit: 5_000, unit: 'ms' },
    ],
    data: {
      runs,
      watch_ms: watchMs,
      rendered: of('config.version-created'),
      offered: of('deployment.started'),
      serving,
      committed: of('server.committed'),
      serving_from_refresh: of('from-refresh'),
      noop: summarize(noop),
    },
  };
});
