import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { startProcess } from '../packages/testkit/src/processes.ts';
import { openTestDirectory, processesUnder } from '../packages/testkit/src/test-directory.ts';

const main = path.join(import.meta.dirname, 'provider/main.ts');
const provider = (...args: string[]) => ({ command: process.execPath, args: [main, ...args] });

test('the provider says where everything is, and leaves nothing behind', async () => {
  await using directory = openTestDirectory('example');
  const running = await startProcess({
    ...provider('--origin', '--dir', directory.path, '-o', 'json'),
    readyLine: /^\{.*\}$/,
  });
  const ready = JSON.parse(running.ready?.[0] ?? '') as Record<'subscription' | 'control' | 'origin', string>;
  expect((await fetch(`${ready.subscription}?format=plain`)).status).toBe(200);
  expect(await (await fetch(ready.origin)).text()).toBe('origin-ok');
  expect((await fetch(`${ready.origin}/generate_204`)).status).toBe(204);
  expect(processesUnder(directory.path)).toHaveLength(2);
  running.kill('SIGTERM');
  expect(await running.exited).toEqual({ code: 0, signal: null });
  expect(processesUnder(directory.path)).toEqual([]);
  await running[Symbol.asyncDispose]();
});

test('the provider goes when its parent is gone', async () => {
  await using directory = openTestDirectory('example');
  // startProcess gives no standard input, which is how a dead parent looks.
  await using running = await startProcess(provider('--dir', directory.path, '--until-stdin-ends'));
  expect(await running.exited).toEqual({ code: 0, signal: null });
  expect(processesUnder(directory.path)).toEqual([]);
});

test('a port that is taken is an error without a stack', async () => {
  await using directory = openTestDirectory('example');
  await using first = await startProcess({ ...provider('-o', 'json', '--dir', directory.file('a')), readyLine: /^\{/ });
  const port = /127\.0\.0\.1:(\d+)\/sub/.exec(first.stdout())?.[1] ?? '';
  await using second = await startProcess(provider('--port', port, '--dir', directory.file('b')));
  expect((await second.exited).code).toBe(1);
  await second.waitForLine(/cause: .*EADDRINUSE/);
  expect(second.output()).not.toMatch(/^\s+at /m);
});

test('the example subscription lists every scheme we read', () => {
  const text = readFileSync(path.join(import.meta.dirname, 'subscription.txt'), 'utf8');
  const schemes = new Set([...text.matchAll(/^([a-z0-9]+):\/\//gm)].map(([, scheme]) => scheme));
  expect(schemes).toEqual(new Set(['hy2', 'hysteria2', 'ss', 'trojan', 'tuic', 'vless', 'vmess']));
});
