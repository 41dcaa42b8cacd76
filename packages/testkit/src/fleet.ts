// The whole of sbox on one machine: provider, origin, manager, and one server that joined it.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createAgentProcess, writeTokenFile, type AgentProcess, type AgentProgram } from './agent-process.ts';
import { freePorts } from './free-ports.ts';
import { startManagerProcess, type ManagerProcess, type ManagerProcessOptions } from './manager-process.ts';
import { startOrigin, type Origin } from './origin.ts';
import { startProvider, type Provider } from './provider.ts';
import { pinnedSingBox } from './sing-box.ts';
import { openTestDirectory, type TestDirectory } from './test-directory.ts';
import { openStreamThrough, requestThrough, type ProxiedStream } from './through-proxy.ts';

export interface FleetOptions {
  /** Settings of the manager, as environment variables without the prefix. */
  readonly manager?: ManagerProcessOptions['settings'];
  /** Settings of the agent, as environment variables without the prefix. */
  readonly agent?: Readonly<Record<string, string>>;
  /** Another build of the agent than the sources. */
  readonly agentProgram?: AgentProgram;
  /** Gets the agent's directory before the agent is started; what it answers is done after the agent has ended. */
  readonly prepareAgent?: (directory: string) => (() => void) | undefined;
  /** How long a version is watched. */
  readonly watch?: string;
  /** The manager speaks TLS with its own CA. */
  readonly tls?: boolean;
  /** Programs that the manager is given before anything else, and which of their versions is deployed first. */
  readonly engines?: { readonly files: readonly string[]; readonly first: string };
  /** Stands between agent and manager: gets the manager's address, answers the one that the agent joins. */
  readonly between?: (managerUrl: string) => Promise<AsyncDisposable & { readonly url: string }>;
}

export interface Fleet extends AsyncDisposable {
  readonly dir: TestDirectory;
  readonly provider: Provider;
  readonly origin: Origin;
  readonly manager: ManagerProcess;
  readonly agent: AgentProcess;
  readonly proxyPort: number;
  readonly serverId: string;
  readonly configId: string;
  /** A request through the agent's proxy; throws when it does not get through. */
  request(): Promise<string>;
  stream(): Promise<ProxiedStream>;
  /** Fetches, generates and deploys; answers the number of the version. */
  publish(): Promise<number>;
  /** Deploys a version (the newest), with an engine of the manager's, and waits for the end: `succeeded` or `halted`. */
  deploy(version?: number, engine?: string): Promise<{ state: string; code: string | null; detail: string | null }>;
  /** Waits until what the manager knows of the server fits. */
  untilServer(what: string, fits: (server: ServerView) => boolean, timeoutMs?: number): Promise<ServerView>;
}

export type ServerView = Awaited<ReturnType<ManagerProcess['client']['servers']['get']>>;

const pollMs = 25;
/** Quick enough for people, slow enough for the limit on requests with one token. */
const serverPollMs = 100;
const deploymentMs = 40_000;

/** Everything is up and version 1 is committed when this resolves. */
export async function startFleet({
  manager: managerSettings = {},
  agent: agentSettings = {},
  agentProgram,
  prepareAgent,
  watch = '500ms',
  tls = false,
  engines,
  between,
}: FleetOptions = {}): Promise<Fleet> {
  await using starting = new AsyncDisposableStack();
  const dir = starting.use(openTestDirectory('fleet'));
  const origin = starting.use(await startOrigin());
  const provider = starting.use(await startProvider({ singBox: pinnedSingBox(), dir: dir.file('provider') }));
  const manager = starting.use(await startManagerProcess({ dir: dir.file('manager'), tls, settings: managerSettings }));
  const front = between && starting.use(await between(manager.url));
  const [proxyPort = 0] = await freePorts(1);
  const { client } = manager;

  await client.subscriptions.add({
    body: { name: 'provider', source: { type: 'url', url: provider.url }, refresh_every: '0' },
  });
  const { id: configId } = await client.configs.create({
    body: {
      name: 'main',
      subscriptions: ['provider'],
      auto_deploy: true,
      settings: {
        inbounds: [{ listen_port: proxyPort }],
        urltest: { url: origin.probeUrl },
        probe: { urls: [origin.probeUrl, origin.url], timeout: '2s' },
        watch,
      },
    },
  });

  await mkdir(dir.file('agent'), { recursive: true });
  const afterwards = prepareAgent?.(dir.file('agent'));
  if (afterwards) starting.defer(afterwards);
  const agent = starting.use(
    createAgentProcess({
      dir: dir.file('agent'),
      settings: agentSettings,
      ...(agentProgram === undefined ? {} : { program: agentProgram }),
    }),
  );
  const { token } = await client.joinTokens.create({ body: { name: 'server' } });
  const joined = await agent.command(
    'join',
    front?.url ?? manager.url,
    '--token-file',
    await writeTokenFile(path.join(dir.path, 'join-token'), token),
  );
  if (joined.code !== 0) throw new Error(joined.stderr);
  await agent.start();
  const { id: serverId } = await client.servers.get({ params: { id: 'server' } });

  for (const file of engines?.files ?? []) await client.engines.add({ query: {}, body: await readFile(file) });

  const deploy: Fleet['deploy'] = async (version, engine) => {
    const started = await client.configs.deploy({
      params: { id: configId },
      body: {
        servers: [serverId],
        ...(version === undefined ? {} : { version }),
        ...(engine === undefined ? {} : { engine }),
      },
    });
    const deadline = performance.now() + deploymentMs;
    for (;;) {
      const { state, reason } = await client.deployments.get({ params: { id: started.id } });
      if (state !== 'running') return { state, code: reason?.code ?? null, detail: reason?.detail ?? null };
      if (performance.now() > deadline)
        throw new Error(
          `no verdict on ${started.id} after ${deploymentMs} ms: ${JSON.stringify(await agent.local.status())}`,
        );
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  };
  const first = await deploy(undefined, engines?.first);
  if (first.state !== 'succeeded') throw new Error(`the first deployment was ${first.state}: ${first.detail ?? ''}`);

  const running = starting.move();
  return {
    dir,
    provider,
    origin,
    manager,
    agent,
    proxyPort,
    serverId,
    configId,
    deploy,
    async untilServer(what, fits, timeoutMs = 30_000) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const server = await client.servers.get({ params: { id: serverId } });
        if (fits(server)) return server;
        if (performance.now() > deadline)
          throw new Error(`not ${what} after ${timeoutMs} ms: ${JSON.stringify(server, undefined, 1)}`);
        await new Promise((resolve) => setTimeout(resolve, serverPollMs));
      }
    },
    request: async () => (await requestThrough({ proxyPort, url: origin.url })).body,
    stream: async () => await openStreamThrough({ proxyPort, url: origin.streamUrl }),
    async publish() {
      await client.subscriptions.refresh({ params: { id: 'provider' } });
      const { version } = await client.configs.generate({ params: { id: configId }, body: {} });
      return version.version;
    },
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}
