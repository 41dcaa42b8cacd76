// Runs the demo provider until Ctrl C: node examples/provider/main.ts [options], see README.md beside it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startOrigin } from '../../packages/testkit/src/origin.ts';
import { startProvider } from '../../packages/testkit/src/provider.ts';
import { pinnedSingBox } from '../../packages/testkit/src/sing-box.ts';

const usage = `usage: provider [--port N] [--origin] [--origin-port N] [--dir DIR] [--engine FILE] [--until-stdin-ends] [-o json]
`;

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '0' },
        origin: { type: 'boolean', default: false },
        'origin-port': { type: 'string', default: '0' },
        dir: { type: 'string' },
        engine: { type: 'string' },
        /** A parent that dies, even by SIGKILL, takes the provider along. */
        'until-stdin-ends': { type: 'boolean', default: false },
        output: { type: 'string', short: 'o', default: 'text' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 2;
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  await using running = new AsyncDisposableStack();
  const dir = options.dir ?? mkdtempSync(path.join(tmpdir(), 'sbox-provider-'));
  if (options.dir === undefined) running.defer(() => rmSync(dir, { recursive: true, force: true }));
  const provider = running.use(
    await startProvider({
      singBox: options.engine ?? pinnedSingBox(),
      dir,
      listen: { port: Number(options.port) },
    }),
  );
  const origin = options.origin ? running.use(await startOrigin({ port: Number(options['origin-port']) })) : undefined;
  // Without a slash at its end, so that a path can follow.
  const originUrl = origin === undefined ? undefined : new URL(origin.url).origin;

  const { url, controlUrl, nodes } = provider;
  if (options.output === 'json') {
    const ports = nodes.map(({ tag, type, server_port }) => ({ tag, type, server_port }));
    process.stdout.write(
      `${JSON.stringify({ subscription: url, control: controlUrl, origin: originUrl, nodes: ports })}\n`,
    );
  } else {
    process.stdout.write(`subscription  ${url}\n`);
    for (const node of nodes)
      process.stdout.write(`node          ${node.type} on port ${node.server_port}: ${node.tag}\n`);
    if (originUrl !== undefined) process.stdout.write(`origin        ${originUrl}\n`);
    process.stdout.write(`change it     curl -H 'content-type: application/json' -d '{"mode":"html"}' ${controlUrl}\n`);
  }
  await untilStopped(options['until-stdin-ends']);
  return 0;
}

async function untilStopped(withStdin: boolean): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopped.resolve());
  if (withStdin) {
    // A closed pipe says `end`, a broken one only `close`.
    for (const event of ['end', 'close']) process.stdin.resume().once(event, () => stopped.resolve());
  }
  // Signals alone do not keep the loop alive, but the servers above do.
  await stopped.promise;
  process.stdin.destroy();
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`error: the demo provider did not start\ncause: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
