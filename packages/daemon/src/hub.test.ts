import { expect, test } from '@jest/globals';
import { createHub } from './hub.ts';

test('wakes those who listen under a key, and only them', () => {
  const hub = createHub<number>();
  const heard: string[] = [];
  const a = hub.subscribe('a', (value) => heard.push(`a${value}`));
  using _b = hub.subscribe('b', (value) => heard.push(`b${value}`));
  hub.publish('a', 1);
  hub.publish('b', 2);
  hub.publish('nobody', 3);
  a[Symbol.dispose]();
  a[Symbol.dispose]();
  hub.publish('a', 4);
  expect(heard).toEqual(['a1', 'b2']);
  expect(hub.listeners).toBe(1);
});

test('one function may listen twice, and stop twice', () => {
  const hub = createHub<number>();
  const heard: number[] = [];
  const listener = (value: number): void => {
    heard.push(value);
  };
  const both = [hub.subscribe('a', listener), hub.subscribe('a', listener)];
  hub.publish('a', 1);
  both[0]?.[Symbol.dispose]();
  hub.publish('a', 2);
  both[1]?.[Symbol.dispose]();
  hub.publish('a', 3);
  expect(heard).toEqual([1, 1, 2]);
  expect(hub.listeners).toBe(0);
});

test('who stops or starts listening inside a publication does not disturb it', () => {
  const hub = createHub<number>();
  const heard: string[] = [];
  const first = hub.subscribe('a', () => {
    heard.push('first');
    first[Symbol.dispose]();
    hub.subscribe('a', () => heard.push('late'));
  });
  hub.subscribe('a', () => heard.push('second'));
  hub.publish('a', 1);
  expect(heard).toEqual(['first', 'second']);
});

test('next gives the next publication, or undefined when the time or the caller ends it', async () => {
  const hub = createHub<number>();
  const controller = new AbortController();
  const published = hub.next('a', 60_000);
  const timed = hub.next('b', 1);
  const aborted = hub.next('c', 60_000, controller.signal);
  hub.publish('a', 1);
  hub.publish('a', 2);
  controller.abort();
  expect(await Promise.all([published, timed, aborted])).toEqual([1, undefined, undefined]);
  expect(await hub.next('d', 60_000, controller.signal)).toBeUndefined();
  expect(hub.listeners).toBe(0);
});
