import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build, type Metafile } from 'esbuild';
import { programs, shared } from './build.ts';

const dir = mkdtempSync(path.join(process.env['SBOX_TEST_DIR'] ?? tmpdir(), 'sbox-build-'));
let inputs: [file: string, bytes: number][] = [];

beforeAll(async () => {
  const { metafile } = (await build({
    ...shared,
    ...programs.sboxagent,
    outdir: dir,
    write: false,
    metafile: true,
  })) as {
    metafile: Metafile;
  };
  inputs = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).map(([file, { bytesInOutput }]): [string, number] => [file, bytesInOutput]),
  );
});

/** What must never get into an agent, and why. */
const forbidden: readonly [pattern: RegExp, why: string][] = [
  [/node_modules\/winston\//, 'an agent writes its own lines; winston costs 7 MB'],
  [/node_modules\/undici\/index\.js/, "undici's index loads every client there is"],
  [/node_modules\/zod\/v4\/classic\//, 'zod classic weighs twice zod/mini'],
  [/packages\/formats\//, 'subscriptions are never parsed on a server'],
  [/sing-box\/(render\.ts|profile\.ts|nodes\/|compose\/|dialects\/)/, 'servers do not render'],
  [/packages\/manager\//, 'the manager is another program'],
  [/node_modules\/(kysely|js-yaml|@peculiar)\//, "these are the manager's"],
];

test.each(forbidden)('the agent has no %s: %s', (pattern) => {
  expect(inputs.filter(([file, bytes]) => bytes > 0 && pattern.test(file))).toEqual([]);
});

test('the agent is one file of a bounded size', () => {
  const bytes = inputs.reduce((sum, [, size]) => sum + size, 0);
  expect(bytes).toBeLessThan(1.25 * 1024 * 1024);
});

test('all of undici that is loaded eagerly is its pool', () => {
  const files = inputs
    .filter(([file, bytes]) => bytes > 0 && /node_modules\/undici\//.test(file))
    .map(([file]) => file.replace(/.*undici\//, ''));
  expect(files).toContain('lib/dispatcher/pool.js');
  expect(
    files.filter((file) =>
      /web\/(cache|eventsource|websocket|cookies)|mock|handler\/(cache|retry|redirect)/.test(file),
    ),
  ).toEqual([]);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const run = promisify(execFile);
type Failed = Error & { readonly code: number; readonly stderr: string };

test('the bundles run: what is loaded late is found there too', async () => {
  await build({ ...shared, ...programs.sboxmgr, outdir: path.join(dir, 'sboxmgr') });
  await build({ ...shared, ...programs.sboxagent, outdir: path.join(dir, 'sboxagent') });
  writeFileSync(path.join(dir, 'nodes.txt'), 'trojan://secret@192.0.2.1:443#Amsterdam');
  const sboxmgr = async (...words: string[]) =>
    await run(process.execPath, [path.join(dir, 'sboxmgr/main.mjs'), ...words], { cwd: dir });

  expect((await sboxmgr('inspect', 'nodes.txt', '-o', 'yaml')).stdout).toMatch(/^format: links\nnodes:\n/);
  const worker = new Worker(path.join(dir, 'sboxmgr/read-worker.mjs'), {
    workerData: { bytes: Buffer.from('trojan://secret@192.0.2.1:443#Amsterdam') },
  });
  const [answer] = (await once(worker, 'message')) as [unknown];
  expect(answer).toMatchObject({ read: { format: 'links', nodes: 1 } });
  await worker.terminate();
  const evaluator = new Worker(path.join(dir, 'sboxmgr/policy-worker.mjs'), {
    workerData: {
      documents: ['{}'],
      facts: '{"nodes":[],"settings":{},"version":{}}',
      expressions: ['size(nodes) > 0'],
      first: 0,
    },
  });
  const said: unknown[] = [];
  evaluator.on('message', (message) => said.push(message));
  await once(evaluator, 'exit');
  expect(said).toEqual([{ ready: true }, { index: 0, outcome: { blame: { places: [], more: 0 } } }]);
  const failed = await sboxmgr('status', '--manager', 'http://127.0.0.1:9').catch((error: unknown) => error as Failed);
  expect(failed).toMatchObject({ code: 6, stderr: expect.stringContaining('cannot reach manager') });
  const { stdout } = await run(process.execPath, [path.join(dir, 'sboxagent/main.cjs'), '--version']);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
