import { describe, expect, test } from '@jest/globals';
import { createFakeClock, ProblemError } from '@sbox/core';
import { createCloneWatch } from './clone-watch.ts';

function openWatch() {
  const clock = createFakeClock();
  const cloned: string[] = [];
  const watch = createCloneWatch({ clock, onCloned: (serverId) => void cloned.push(serverId) });
  const ask = async (bootId: string | undefined, afterMs = 70_000): Promise<string> => {
    await clock.advance(afterMs);
    try {
      watch.admit('srv_1', bootId);
      return 'admitted';
    } catch (error) {
      return error instanceof ProblemError ? error.code : String(error);
    }
  };
  const askAll = async (...bootIds: string[]): Promise<string[]> => {
    const answers: string[] = [];
    for (const bootId of bootIds) answers.push(await ask(bootId));
    return answers;
  };
  return { ask, askAll, cloned };
}

describe('scenario 24: a cloned identity', () => {
  test('shows when the first machine is heard after the second; the first goes on, the second is refused', async () => {
    const { askAll, cloned } = openWatch();
    expect(await askAll('a', 'a', 'b', 'a', 'b', 'a', 'b')).toEqual([
      'admitted',
      'admitted',
      'admitted',
      'admitted',
      'server.identity-cloned',
      'admitted',
      'server.identity-cloned',
    ]);
    expect(cloned).toEqual(['srv_1']);
  });

  test('is no restart, and no request of the run before that came late', async () => {
    const { ask, askAll, cloned } = openWatch();
    expect(await askAll('a', 'b', 'c', 'd')).not.toContain('server.identity-cloned');
    expect(await ask('e')).toBe('admitted');
    expect(await ask('d', 1000)).toBe('admitted');
    expect(await ask('d', 30_000)).toBe('admitted');
    expect(await ask('e')).toBe('admitted');
    expect(cloned).toEqual([]);
  });

  test('shows soon when both ask often', async () => {
    const { ask, cloned } = openWatch();
    await ask('a');
    for (let second = 0; second < 10 && cloned.length === 0; second += 1) {
      await ask('b', 500);
      await ask('a', 500);
    }
    expect(await ask('b', 500)).toBe('server.identity-cloned');
    expect(await ask('a', 500)).toBe('admitted');
  });

  test('is over when the first machine was silent for long, and does not bother agents that name no run', async () => {
    const { ask, askAll, cloned } = openWatch();
    await askAll('a', 'b', 'a');
    expect(await ask('b')).toBe('server.identity-cloned');
    expect(await ask(undefined)).toBe('admitted');
    expect(await ask('b', 600_000)).toBe('admitted');
    expect(await ask('b')).toBe('admitted');
    expect(cloned).toEqual(['srv_1']);
  });
});
