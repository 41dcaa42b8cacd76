// From a changed value of a setting to the new versions of the configs that read it, which are stored when the request is
// answered; and what it costs to give many servers of a few kinds what they get.
import { runBench, summarize, type Summary } from '../src/bench-report.ts';
import { openTestDirectory, startManagerProcess, type ManagerProcess } from '../src/index.ts';

const options = {
  configs: { default: 200, summary: 'how many configs' },
  readers: { default: 5, summary: 'how many of them read the key' },
  nodes: { default: 50, summary: 'nodes of the subscription that all of them use' },
  servers: { default: 300, summary: 'servers of three kinds' },
  runs: { default: 20, summary: 'how many changes' },
};
const any = { 'if-match': '*' };

/** Templates have a log level of their own, as a parameter: only configs without one read the setting. */
async function fill(
  { client }: ManagerProcess,
  { configs, readers, nodes }: Record<'configs' | 'readers' | 'nodes', number>,
) {
  const links = Array.from({ length: nodes }, (_, at) => `trojan://secret@n${at}.example.net:443#Node%20${at}`);
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text: links.join('\n') } } });
  for (let at = 0; at < configs; at += 1) {
    const template = at < readers ? {} : { template: { name: 'mixed', params: { port: 3000 + at } } };
    await client.configs.create({ body: { name: `config-${at}`, subscriptions: ['demo'], ...template } });
  }
}

/** Milliseconds of each change of one value for everybody, with the versions that it made. */
async function changeAll({ client }: ManagerProcess, runs: number, readers: number): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn <= runs; turn += 1) {
    const began = performance.now();
    const { configs } = await client.settings.update({
      params: { scope: 'global' },
      headers: any,
      body: { values: { log_level: turn % 2 === 0 ? 'debug' : 'info' } },
    });
    // The first one warms up.
    if (turn > 0) times.push(performance.now() - began);
    if (configs.length !== readers) throw new Error(`${configs.length} configs got a version, not ${readers}`);
  }
  return times;
}

interface Deployed {
  readonly ms: number;
  readonly renditions: number;
}

async function deployKinds(
  { client }: ManagerProcess,
  servers: number,
): Promise<{ plain: Deployed; layered: Deployed }> {
  const engine = {
    kind: 'sing-box' as const,
    version: '1.14.4',
    tags: ['with_quic', 'with_utls', 'with_gvisor', 'with_clash_api'],
  };
  const names = Array.from({ length: servers }, (_, at) => `server-${at}`);
  const kinds = ['core', 'edge', 'far'];
  for (const [at, name] of names.entries())
    await client.servers.add({ body: { name, engine, labels: { role: kinds[at % 3] ?? '' } } });
  const deploy = async (): Promise<Deployed> => {
    const began = performance.now();
    await client.configs.deploy({ params: { id: 'config-0' }, body: { servers: names } });
    const ms = performance.now() - began;
    const { version } = await client.configs.get({ params: { id: 'config-0' } });
    const params = { id: 'config-0', version: String(version) };
    return { ms, renditions: (await client.configs.version({ params })).renditions.length };
  };
  const plain = await deploy();
  for (const role of ['edge', 'far'])
    await client.settings.update({
      params: { scope: `labels:role=${role}` },
      headers: any,
      body: { values: { log_level: role === 'edge' ? 'trace' : 'error' } },
    });
  return { plain, layered: await deploy() };
}

await runBench(options, async (given) => {
  await using dir = openTestDirectory('bench-settings');
  const settings = { LIMITS_TOKEN: '1000000', LOG_LEVEL: 'warn' };
  await using manager = await startManagerProcess({ dir: dir.file('manager'), settings });
  await fill(manager, given);
  const times: Summary = summarize(await changeAll(manager, given.runs, given.readers));
  const { plain, layered } = await deployKinds(manager, given.servers);
  const row = (what: string, { median, p90, max }: Pick<Summary, 'median' | 'p90' | 'max'>) => ({
    what,
    'median ms': median,
    'p90 ms': p90,
    'max ms': max,
  });
  const once = ({ ms }: Deployed) => ({ median: Math.round(ms), p90: Math.round(ms), max: Math.round(ms) });
  return {
    title: `settings: ${given.runs} changes, ${given.configs} configs of which ${given.readers} read the key, ${given.nodes} nodes`,
    rows: [
      row('a value changed: versions stored', times),
      row(`deployed to ${given.servers} servers of one kind`, once(plain)),
      row(`the same servers, of three kinds`, once(layered)),
    ],
    musts: [
      { what: 'change to versions, median,', value: times.median, limit: 500, unit: 'ms' },
      { what: 'change to versions, each time,', value: times.max, limit: 2_000, unit: 'ms' },
    ],
    notes: [`renditions of the version: ${plain.renditions} for one kind, ${layered.renditions} for three`],
    data: { ...given, change: times, deployed: { plain, layered } },
  };
});
