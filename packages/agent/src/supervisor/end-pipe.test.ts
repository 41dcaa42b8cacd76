import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { makeTestDirectory } from '../../test/test-directory.ts';
import { openEndPipe, watchEnd, withSpare, type EndPipe } from './end-pipe.ts';

const directory = makeTestDirectory('end');

test('the pipe has no name, and tells of the end of the one that holds it', async () => {
  const pipe = await openEndPipe(spawn, path.join(directory, 'log'));
  expect(readdirSync(directory)).toEqual([]);
  const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore', pipe.fd] });
  pipe.close();
  await once(child, 'spawn');
  const [first, second] = [watchEnd(child.pid ?? 0, '/proc'), watchEnd(child.pid ?? 0, '/proc')];
  expect(first?.ended.aborted).toBe(false);
  child.stdin?.end();
  for (const watch of [first, second]) {
    if (watch?.ended.aborted === false) await once(watch.ended, 'abort');
    watch?.[Symbol.dispose]();
  }
});

test('what holds something else in its place is not touched', async () => {
  const child = spawn('/bin/cat', { stdio: ['pipe', 'ignore', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  expect(watchEnd(child.pid ?? 0, '/proc')).toBeUndefined();
  expect(watchEnd(2 ** 30, '/proc')).toBeUndefined();
  child.kill();
});

test('a place that takes no files is a clear error', async () => {
  await expect(openEndPipe(spawn, path.join(directory, 'gone', 'log'))).rejects.toThrow(/^mkfifo: /);
});

test('a spare one is ready ahead, and nobody gets one twice', async () => {
  let made = 0;
  const open = withSpare(async () => await Promise.resolve<EndPipe>({ fd: (made += 1), close: () => {} }));
  expect((await open('a')).fd).toBe(1);
  expect(made).toBe(2);
  const both = await Promise.all([open('a'), open('a')]);
  expect(new Set(both.map(({ fd }) => fd)).size).toBe(2);
});

test('without a spare one is made when it is needed', async () => {
  let tries = 0;
  const open = withSpare(async () => {
    if ((tries += 1) === 2) throw new Error('ENOSPC');
    return await Promise.resolve<EndPipe>({ fd: tries, close: () => {} });
  });
  await open('a');
  expect((await open('a')).fd).toBe(3);
});
