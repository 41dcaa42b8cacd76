import { createFakeClock } from '@sbox/core';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { ProbeResult, RunProbe } from './probe.ts';
import { createUplink } from './uplink.ts';

const targets = { urls: ['http://a/', 'http://b/'], expect: [204], need: 2, timeout_ms: 100 };
const { signal } = new AbortController();

let answers: boolean[] = [];
let asked: unknown[] = [];
let changes = 0;
beforeEach(() => {
  [answers, asked, changes] = [[], [], 0];
});

const probe: RunProbe = async (way, wanted) => {
  asked.push([way, wanted.need]);
  const ok = answers.shift();
  if (ok === undefined) throw new Error('one look too many');
  return await Promise.resolve<ProbeResult>({ ok, ms: 1, detail: 'a: no route', at: '' });
};
const open = () => {
  const clock = createFakeClock();
  const uplink = createUplink({ probe, clock, onChange: () => void (changes += 1) });
  const ask = async (): Promise<boolean> => {
    const question = uplink.isDown(targets, signal);
    await clock.advance(1000);
    return await question;
  };
  return { uplink, clock, ask };
};

describe('the line of this machine', () => {
  test('is good when one direct request is answered, and nothing more is asked', async () => {
    const { uplink, ask } = open();
    answers = [true];
    expect(await ask()).toBe(false);
    expect(asked).toEqual([[undefined, 1]]);
    expect([uplink.down, changes]).toEqual([null, 0]);
  });

  test('is not down after one failure', async () => {
    const { uplink, ask } = open();
    answers = [false, true];
    expect(await ask()).toBe(false);
    expect(uplink.down).toBeNull();
  });

  test('is down after two in a row, stays so with each further one, and comes back with an answer', async () => {
    const { uplink, clock, ask } = open();
    answers = [false, false];
    expect(await ask()).toBe(true);
    const since = uplink.down?.since;
    expect(uplink.down).toMatchObject({ since: '2026-01-01T00:00:01.000Z', detail: 'a: no route' });
    answers = [false];
    expect(await ask()).toBe(true);
    expect(uplink.down?.since).toBe(since);
    await clock.advance(60_000);
    answers = [true];
    await uplink.recheck(signal);
    expect(uplink.down).toBeNull();
    expect(changes).toBe(2);
    await uplink.recheck(signal);
    expect(asked).toHaveLength(4);
  });

  test('is not judged by a look that was given up', async () => {
    const { uplink } = open();
    const giveUp = new AbortController();
    answers = [false];
    const question = uplink.isDown(targets, giveUp.signal);
    giveUp.abort(new Error('enough'));
    await expect(question).rejects.toThrow('enough');
    expect([uplink.down, changes]).toEqual([null, 0]);
  });
});
