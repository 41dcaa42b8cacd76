import { expect, test } from '@jest/globals';
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createFakeClock, ProblemError, systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { startManagerDouble } from '../../test/manager-double.ts';
import { openStateDouble } from '../../test/state-double.ts';
import { join } from '../identity/join.ts';
import { ok, runChecks, type Check } from './check.ts';
import { checks } from './checks.ts';

test('a check that hangs is cut at its limit, and the others are heard', async () => {
  await using state = await openStateDouble();
  const clock = createFakeClock();
  let wasCut = false;
  const table: Check[] = [
    {
      name: 'hangs',
      limitMs: 1000,
      look: async (_scene, signal) => await new Promise(() => signal.addEventListener('abort', () => (wasCut = true))),
    },
    { name: 'answers', look: async () => await Promise.resolve([ok('one'), ok('two', 'second')]) },
  ];
  const running = runChecks(table, state.scene({ clock }));
  await clock.untilSleeping(1);
  await clock.advance(1000);
  expect(await running).toEqual([
    { check: 'hangs', verdict: 'failed', detail: 'no answer within 1s', fix: expect.any(String) },
    { check: 'answers', verdict: 'ok', detail: 'one' },
    { check: 'answers', verdict: 'ok', detail: 'two', about: 'second' },
  ]);
  expect(wasCut).toBe(true);
});

test('what a check throws is its finding, with the fix of the problem', async () => {
  await using state = await openStateDouble();
  const problem = new ProblemError('settings.invalid', 'it is torn', { fix: 'mend it' });
  const [found] = await runChecks([{ name: 'throws', look: async () => await Promise.reject(problem) }], state.scene());
  expect(found).toEqual({ check: 'throws', verdict: 'failed', detail: 'it is torn', fix: 'mend it' });
});

test('whatever is not ok says what to do, on a server where nothing is set up', async () => {
  await using state = await openStateDouble();
  const found = await runChecks(checks, state.scene());
  expect(new Set(found.map(({ check }) => check))).toEqual(new Set(checks.map(({ name }) => name)));
  expect(found.filter(({ verdict, fix }) => verdict !== 'ok' && !fix)).toEqual([]);
});

test('looking changes nothing, and makes no key where there is none', async () => {
  await using state = await openStateDouble();
  await using manager = await startManagerDouble({ clock: systemClock });
  const tokenFile = path.join(state.directory, 'token');
  await writeFile(tokenFile, manager.joinToken());
  const shared = { clock: systemClock, log: silentLogger, engines: [], stateDir: state.directory };
  await join({ ...shared, url: manager.url, tokenFile, name: 'edge' });
  state.addVersion({ generation: 1 });
  state.write('hold', 'until Monday');
  await rm(path.join(state.directory, 'agent.key'));
  await writeFile(path.join(state.directory, 'journal.ndjson'), 'torn', { flag: 'a' });
  const contents = async (): Promise<string[]> => {
    const names = (await readdir(state.directory, { recursive: true })).toSorted();
    return await Promise.all(
      names.map(async (name) => {
        const file = path.join(state.directory, name);
        const { mode } = await lstat(file);
        return `${name} ${mode} ${await readFile(file, 'utf8').catch(() => '')}`;
      }),
    );
  };
  const before = await contents();
  const found = await runChecks(checks, state.scene());
  expect(found.filter(({ verdict }) => verdict === 'failed').length).toBeGreaterThan(0);
  expect(await contents()).toEqual(before);
});
