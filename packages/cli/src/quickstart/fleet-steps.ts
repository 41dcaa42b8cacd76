import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { printDuration, ProblemError } from '@sbox/core';
import type { FoundEngine } from '@sbox/engines/sing-box/run';
import { flag, text } from '../command.ts';
import { openConnection, type Connection, type OperatorClient } from '../connection.ts';
import { readText } from '../read-file.ts';
import { readSource } from '../read-source.ts';
import { assertFree } from './ports.ts';
import { childReadyMs, spawnChild, type Run, type Targets } from './run.ts';
import { defaultUserAgent } from './source-steps.ts';

const configName = 'main';

const subscriptionName = 'quickstart';

const serverName = 'local';

const servingMs = 60_000;

/** Long enough to notice a version that dies at once; a real fleet keeps the ten seconds of the default. */
const watch = '1s';

export async function managerStep(
  run: Run,
  engine: FoundEngine,
): Promise<{ connection: Connection; adminTokenFile: string }> {
  const { call, dir, programs, steps, running } = run;
  const listen = text(call, 'listen') ?? (flag(call, 'once') ? '127.0.0.1:0' : '127.0.0.1:4780');
  return await steps.run('manager', 'start the manager', async () => {
    await assertFree(listen, 'sboxmgr quickstart --listen 127.0.0.1:0     (picks a free port)');
    // The demo provider is on loopback, which a manager does not fetch from unless it is told to.
    const env = { SBOXMGR_FETCH_ALLOW: '["127.0.0.0/8", "::1/128"]' };
    const args = [
      'serve',
      '--data',
      path.join(dir, 'manager'),
      '--listen',
      listen,
      '--engine',
      engine.path,
      '--ready-json',
    ];
    const child = await spawnChild(run, 'manager', [...programs.sboxmgr, ...args], env);
    const { url, admin_token_file: adminTokenFile } = (await child.ready(childReadyMs)) as {
      url: string;
      admin_token_file: string;
    };
    const connection = running.use(
      await openConnection({ url, token: (await readText(adminTokenFile)).trim() }, call.host),
    );
    await connection.client.system.health();
    return [
      { connection, adminTokenFile },
      {
        text: `${url} · admin token in ${adminTokenFile} (mode 0600)`,
        data: { url, admin_token_file: adminTokenFile },
      },
    ];
  });
}

export interface ConfigInput {
  readonly from: string;
  readonly targets: Targets;
  readonly proxyPort: number;
}

export interface MadeVersion {
  readonly id: string;
  readonly version: number;
}

export async function configStep(
  { steps, call }: Run,
  client: OperatorClient,
  { from, targets, proxyPort }: ConfigInput,
): Promise<MadeVersion> {
  return await steps.run('config', 'add the subscription and make a version', async () => {
    const isUrl = /^https?:\/\//i.test(from);
    const source = isUrl
      ? { type: 'url' as const, url: from, user_agent: text(call, 'userAgent') ?? defaultUserAgent }
      : { type: 'inline' as const, text: new TextDecoder().decode((await readSource(from, call.host)).bytes) };
    await putSubscription(client, source);
    const settings = {
      inbounds: [{ listen_port: proxyPort }],
      urltest: { url: targets.urltestUrl },
      probe: { urls: [...targets.probeUrls], expect: [200, 204] },
      watch,
    };
    const { config, isNew } = await putConfig(client, settings);
    const { version, created } = await client.configs.generate({
      params: { id: config.id },
      body: { message: 'quickstart' },
    });
    const made = { id: config.id, version: version.version };
    return [
      made,
      {
        text: `${configName} version ${version.version}${created || isNew ? '' : ' (nothing had changed)'}, ${version.nodes} nodes`,
        data: { config: made, nodes: version.nodes },
      },
    ];
  });
}

type Source = Parameters<OperatorClient['subscriptions']['add']>[0]['body']['source'];
type Settings = NonNullable<Parameters<OperatorClient['configs']['create']>[0]['body']['settings']>;

/** Finds what an earlier run left and changes it, or makes it. */
async function putSubscription(client: OperatorClient, source: Source): Promise<void> {
  const params = { id: subscriptionName };
  const known = await client.subscriptions.get({ params }).catch(ifMissing('subscription.not-found'));
  const made = known
    ? await client.subscriptions.update({ params, headers: { 'if-match': '*' }, body: { source } })
    : await client.subscriptions.add({ body: { name: subscriptionName, source } });
  if (known) await client.subscriptions.refresh({ params, query: { accept: 'true' } });
  const now = known ? await client.subscriptions.get({ params }) : made;
  if (now.version === null)
    throw new ProblemError(
      'subscription.no-nodes',
      now.last_fetch?.detail ?? 'the manager could not read the subscription',
    );
}

async function putConfig(
  client: OperatorClient,
  settings: Settings,
): Promise<{ config: { id: string }; isNew: boolean }> {
  const params = { id: configName };
  const known = await client.configs.get({ params }).catch(ifMissing('config.not-found'));
  if (known) {
    return {
      config: await client.configs.update({ params, headers: { 'if-match': '*' }, body: { settings } }),
      isNew: false,
    };
  }
  const body = { name: configName, subscriptions: [subscriptionName], settings, auto_deploy: true };
  return { config: await client.configs.create({ body }), isNew: true };
}

const ifMissing =
  (code: string) =>
  (error: unknown): undefined => {
    if (error instanceof ProblemError && error.code === code) return;
    throw error;
  };

export interface JoinedServer {
  readonly id: string;
  readonly name: string;
}

export async function agentStep(run: Run, { client, url }: Connection, engine: FoundEngine): Promise<JoinedServer> {
  const { dir, programs, steps } = run;
  const stateDir = path.join(dir, 'agent');
  const env = {
    SBOXAGENT_STATE_DIR: stateDir,
    SBOXAGENT_IMPORT_DIR: path.join(dir, 'import.d'),
    SBOXAGENT_ENGINE_SING_BOX: engine.path,
    SBOXAGENT_ENGINE_STOP_ON_EXIT: 'true',
    SBOXAGENT_MANAGER_URLS: JSON.stringify([url]),
  };
  return await steps.run('agent', 'join and start the agent', async () => {
    const known = await client.servers.get({ params: { id: serverName } }).catch(ifMissing('server.not-found'));
    if (!known) await join(run, client, { url, env, dir });
    const child = await spawnChild(run, 'agent', [...programs.sboxagent, 'run', '--ready-json'], env, 15_000);
    await child.ready(childReadyMs);
    const server = known ?? (await client.servers.get({ params: { id: serverName } }));
    return [
      { id: server.id, name: server.name },
      {
        text: `${server.name} ${known ? 'is back' : 'joined'} by a signed request · state in ${stateDir}`,
        data: { server: { id: server.id, name: server.name } },
      },
    ];
  });
}

async function join(
  run: Run,
  client: OperatorClient,
  { url, env, dir }: { url: string; env: Record<string, string>; dir: string },
): Promise<void> {
  const { token } = await client.joinTokens.create({ body: { name: serverName, ttl: '10m' } });
  const tokenFile = path.join(dir, 'join-token');
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  await using child = await spawnChild(
    run,
    'join',
    [...run.programs.sboxagent, 'join', url, '--token-file', tokenFile],
    env,
  );
  await child.finished(childReadyMs);
}

/** Waits for the verdict: the agent proved the version with a request, took it over, and watched it. */
export async function deployStep({ steps, call }: Run, client: OperatorClient, server: JoinedServer): Promise<void> {
  await steps.run('deploy', 'deploy and wait for the verdict of the server', async () => {
    const { clock, signal } = call.host;
    const started = await client.configs.deploy({
      params: { id: configName },
      body: { servers: [server.id], message: 'quickstart' },
    });
    const deadline = clock.monotonic() + servingMs;
    for (let now = started; ; now = await client.deployments.get({ params: { id: started.id } })) {
      if (now.state === 'halted')
        throw new ProblemError(
          'deployment.halted',
          now.reason ? `${now.reason.code}: ${now.reason.detail}` : 'no reason was given',
        );
      if (now.state !== 'running') break;
      if (clock.monotonic() > deadline)
        throw new ProblemError('command.timeout', `no verdict in ${printDuration(servingMs)}`, {
          fix: 'See .sbox/logs/agent.log',
        });
      await clock.sleep(50, signal);
    }
    return [
      undefined,
      { text: 'fetched, checked, tried with a request, taken over, watched', data: { deployment: started.id } },
    ];
  });
}
