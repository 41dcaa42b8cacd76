import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { startProcess } from './processes.ts';
import { killProcessesUnder, openTestDirectory, processesUnder } from './test-directory.ts';

const node = (script: string, ...args: string[]) => ({ command: process.execPath, args: ['-e', script, ...args] });
const forever = 'setInterval(() => {}, 1000);';

test('it is started when its ready line is there, and ended by dispose', async () => {
  const running = await startProcess({ ...node(`console.log('port 4711'); ${forever}`), readyLine: /port (\d+)/ });
  expect(running.ready?.[1]).toBe('4711');
  expect(running.isRunning).toBe(true);
  await running[Symbol.asyncDispose]();
  expect(running.isRunning).toBe(false);
  expect(await running.exited).toEqual({ code: null, signal: 'SIGTERM' });
});

test('one that ignores SIGTERM is killed, and its children with it', async () => {
  await using directory = openTestDirectory('processes');
  const child = `require('child_process').spawn(process.execPath, ['-e', '${forever}', process.argv[1]], {stdio: 'ignore'});`;
  const stubborn = `process.on('SIGTERM', () => {}); ${child} console.log('up'); ${forever}`;
  const running = await startProcess({ ...node(stubborn, directory.path), readyLine: /up/, stopTimeoutMs: 50 });
  expect(processesUnder(directory.path)).toHaveLength(2);
  await running[Symbol.asyncDispose]();
  expect((await running.exited).signal).toBe('SIGKILL');
  expect(processesUnder(directory.path)).toEqual([]);
});

test('a program that ends before its ready line fails with what it said', async () => {
  const starting = startProcess({ ...node("console.error('no config'); process.exit(3)"), readyLine: /up/ });
  await expect(starting).rejects.toThrow(/ended before a line matched[^]*no config/);
});

test('a program that stays silent fails in time', async () => {
  const starting = startProcess({ ...node(forever), readyLine: /up/, readyTimeoutMs: 100 });
  await expect(starting).rejects.toThrow('was silent for 100 ms');
});

test('a program that is not there is named', async () => {
  await expect(startProcess({ command: '/nonexistent/sboxd' })).rejects.toThrow('cannot start /nonexistent/sboxd');
});

test('output is kept, by stream, and copied to the log file', async () => {
  await using directory = openTestDirectory('output');
  const logFile = directory.file('x.log');
  await using running = await startProcess({
    ...node("console.log('to out'); console.error('to err'); setTimeout(() => console.log('later'), 20)"),
    logFile,
  });
  await running.waitForLine(/later/);
  await running.waitForLine(/to err/);
  expect(running.stdout()).toBe('to out\nlater\n');
  expect(readFileSync(logFile, 'utf8')).toBe(running.output());
});

test('an abort ends it', async () => {
  const abort = new AbortController();
  const running = await startProcess({ ...node(forever), signal: abort.signal });
  abort.abort();
  expect((await running.exited).signal).toBe('SIGTERM');
});

test('a directory finds what outlived its parent', async () => {
  await using directory = openTestDirectory('orphan');
  const orphan = `require('child_process').spawn('sleep', ['600'], {detached: true, stdio: 'ignore', cwd: process.argv[1]}).unref(); console.log('up'); ${forever}`;
  {
    await using _parent = await startProcess({ ...node(orphan, directory.path), readyLine: /up/ });
  }
  expect(processesUnder(directory.path)).toEqual([{ pid: expect.any(Number), command: 'sleep 600' }]);
  expect(await killProcessesUnder(directory.path)).toEqual([]);
  expect(processesUnder(directory.path)).toEqual([]);
});
