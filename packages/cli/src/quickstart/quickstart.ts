import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, printDuration, ProblemError } from '@sbox/core';
import type { ParsedSubscription } from '@sbox/formats';
import { flag, text, type Call } from '../command.ts';
import type { Connection } from '../connection.ts';
import { agentStep, configStep, deployStep, managerStep, type JoinedServer, type MadeVersion } from './fleet-steps.ts';
import { lockDirectory } from './lock.ts';
import { freePort } from './ports.ts';
import { findPrograms } from './programs.ts';
import { requestThroughProxy } from './proxied-request.ts';
import type { Run, Targets } from './run.ts';
import { engineStep, readStep, renderStep, sourceStep } from './source-steps.ts';
import { createSteps } from './steps.ts';

/** `sboxmgr quickstart`: docs/guide/first-ten-minutes.md follows its steps. */
export const quickstart = async (call: Call): Promise<void> => {
  await using running = new AsyncDisposableStack();
  const dir = path.resolve(call.host.cwd, text(call, 'dir') ?? '.sbox');
  const run: Run = {
    call,
    dir,
    running,
    steps: createSteps(call.out, call.host),
    programs: findPrograms(call.host.node.path),
  };
  await mkdir(path.join(dir, 'logs'), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new ProblemError('directory.unusable', `${dir}: ${messageOf(error)}`, {
      fix: 'Choose another one: --dir DIR',
    });
  });
  running.use(await lockDirectory(dir));

  const engine = await engineStep(run);
  const { from, targets } = await sourceStep(run, engine);
  const parsed = await readStep(run, from);
  const proxyPort = await freePort(Number(text(call, 'proxyPort') ?? (flag(call, 'once') ? 0 : 2080)));
  const { found } = await renderStep(run, { parsed, engine, proxyPort, targets });
  const { connection, adminTokenFile } = await managerStep(run, found);
  const version = await configStep(run, connection.client, { from, targets, proxyPort });
  const server = await agentStep(run, connection, found);
  await deployStep(run, connection.client, server);
  const probe = await proofStep(run, proxyPort, targets);
  await finish(run, connection, { server, version, proxyPort, probe, parsed, adminTokenFile });
};

async function proofStep(
  { steps }: Run,
  proxyPort: number,
  { probeUrls }: Targets,
): Promise<{ status: number; ms: number }> {
  return await steps.run('proxy', 'send a request through the proxy', async () => {
    const url = probeUrls.at(-1) ?? '';
    const { status, text: body, ms } = await requestThroughProxy(proxyPort, url);
    const came = body.trim() === '' ? '' : ` · came back: ${JSON.stringify(body.trim().slice(0, 60))}`;
    return [
      { status, ms },
      {
        text: `socks5://127.0.0.1:${proxyPort} · ${url} answered ${status} in ${ms} ms${came}`,
        data: { status, ms, body: body.slice(0, 200) },
      },
    ];
  });
}

interface Finished {
  readonly server: JoinedServer;
  readonly version: MadeVersion;
  readonly proxyPort: number;
  readonly probe: { readonly status: number; readonly ms: number };
  readonly parsed: ParsedSubscription;
  readonly adminTokenFile: string;
}

async function finish({ steps, call, dir }: Run, { client, url }: Connection, done: Finished): Promise<void> {
  const { state } = await client.servers.get({ params: { id: done.server.id } });
  const { nodes, rejected } = done.parsed;
  steps.last({
    step: 'ready',
    ms: Math.round(steps.elapsed()),
    proxy: `socks5://127.0.0.1:${done.proxyPort}`,
    probe: done.probe,
    manager: url,
    config: done.version,
    server: { id: done.server.id, state },
    nodes: nodes.length,
    rejected: rejected.length,
  });
  steps.print(`  Ready in ${printDuration(steps.elapsed())}.`);
  if (flag(call, 'once')) return;
  const env = `SBOXMGR_URL=${url} SBOXMGR_TOKEN_FILE=${done.adminTokenFile}`;
  steps.print(
    [
      '',
      `  Try:   curl -x socks5h://127.0.0.1:${done.proxyPort} https://example.com`,
      `  Next:  export ${env}`,
      '         sboxmgr server list   ·   sboxmgr config versions main   ·   sboxmgr event list',
      `  Logs:  ${path.join(dir, 'logs')}      Stop: Ctrl C (nothing is left running)`,
    ].join('\n'),
  );
  await new Promise<void>((resolve) => {
    const { signal } = call.host;
    if (signal.aborted) resolve();
    // An abort listener alone does not keep the process; the pipes of the children do.
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  steps.print('\n  Stopping.');
}
