// What most scenarios begin with: a server on bundles, an origin, and configs that go out directly.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createBundleSigner, type BundleSigner, type SignedUnit } from '../../src/bundle-signer.ts';
import { startBundledServer, type BundledServer } from '../../src/bundled-server.ts';
import {
  freePorts,
  openStreamThrough,
  openTestDirectory,
  processesUnder,
  requestThrough,
  startOrigin,
  type FoundProcess,
  type ProxiedStream,
  type TestDirectory,
} from '../../src/index.ts';

export interface ScenarioOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** Before the agent is started for the first time; what it answers is done after the agent has ended. */
  readonly prepare?: (dir: TestDirectory) => (() => void) | undefined;
  /** Settings that name files of the scenario. */
  readonly settingsIn?: (dir: TestDirectory) => Readonly<Record<string, string>>;
}

export interface Scenario extends AsyncDisposable, BundledServer {
  readonly dir: TestDirectory;
  readonly stateDir: string;
  readonly signer: BundleSigner;
  /** The same proxy each time; another version is other bytes. */
  unit(version: number, more?: Partial<SignedUnit>): SignedUnit;
  request(): Promise<string>;
  stream(): Promise<ProxiedStream>;
  /** Engines that run from slots of this server, drained ones too. */
  engines(): FoundProcess[];
  /** Of the newest manifest that was believed. */
  acceptedGeneration(): Promise<number>;
}

/** Version 1 is committed when this resolves. */
export async function startScenario(options: ScenarioOptions = {}): Promise<Scenario> {
  await using starting = new AsyncDisposableStack();
  const dir = starting.use(openTestDirectory('scenario'));
  const origin = starting.use(await startOrigin());
  const [port = 0] = await freePorts(1);
  const stateDir = dir.file('state');
  await mkdir(stateDir, { mode: 0o700 });
  const afterwards = options.prepare?.(dir);
  if (afterwards) starting.defer(afterwards);
  const signer = createBundleSigner({ urls: [origin.probeUrl], expect: [204], need: 1, timeout_ms: 2000 });
  const unit: Scenario['unit'] = (version, more = {}) => ({
    config: {
      log: { level: 'warn' },
      inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
      outbounds: [
        { type: 'direct', tag: 'out' },
        { type: 'direct', tag: `unused-${version}` },
      ],
      route: { final: 'out' },
    },
    ...more,
  });
  const server = starting.use(
    await startBundledServer({
      dir: dir.path,
      signer,
      units: [unit(1)],
      settings: { ...options.settings, ...options.settingsIn?.(dir) },
    }),
  );
  const running = starting.move();
  return {
    ...server,
    dir,
    stateDir,
    signer,
    unit,
    request: async () => (await requestThrough({ proxyPort: port, url: origin.url })).body,
    stream: async () => await openStreamThrough({ proxyPort: port, url: origin.streamUrl }),
    engines: () => processesUnder(path.join(stateDir, 'slots')).filter(({ command }) => / run .*-c /.test(command)),
    async acceptedGeneration() {
      const text = await readFile(path.join(stateDir, 'accepted.json'), 'utf8');
      return (JSON.parse(text) as { manifest: { generation: number } }).manifest.generation;
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}
