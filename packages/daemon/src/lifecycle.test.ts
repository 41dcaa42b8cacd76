import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { runUntilSignal, untilAborted } from './lifecycle.ts';

/** A process that only writes down how it was ended. */
function createHost() {
  const emitter = new EventEmitter();
  const exits: number[] = [];
  const host = {
    on: (event: string, listener: () => void) => emitter.on(event, listener),
    off: (event: string, listener: () => void) => emitter.off(event, listener),
    exit: ((code: number) => exits.push(code)) as unknown as (code: number) => never,
  };
  return { host, emitter, exits, listeners: () => emitter.listenerCount('SIGTERM') + emitter.listenerCount('SIGINT') };
}

test.each(['SIGTERM', 'SIGINT'])('%s lets the program release what it holds', async (name) => {
  const { host, emitter, exits, listeners } = createHost();
  const steps: string[] = [];
  const ended = runUntilSignal(async (signal) => {
    steps.push('started');
    await untilAborted(signal);
    steps.push('released');
  }, host);
  emitter.emit(name);
  await ended;
  expect(steps).toEqual(['started', 'released']);
  expect(exits).toEqual([]);
  expect(listeners()).toBe(0);
});

test('a second signal ends a program that hangs', async () => {
  const { host, emitter, exits } = createHost();
  const hang = Promise.withResolvers<void>();
  const ended = runUntilSignal(async () => await hang.promise, host);
  emitter.emit('SIGINT');
  expect(exits).toEqual([]);
  emitter.emit('SIGINT');
  expect(exits).toEqual([130]);
  hang.resolve();
  await ended;
});

test('a program that fails lets go of the signals', async () => {
  const { host, listeners } = createHost();
  await expect(runUntilSignal(async () => await Promise.reject(new Error('no')), host)).rejects.toThrow('no');
  expect(listeners()).toBe(0);
});

test('a signal that has aborted already is not waited for', async () => {
  await untilAborted(AbortSignal.abort());
});
