import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { silentLogger } from '@sbox/daemon/log';
import { expect, test } from '@jest/globals';
import { makeTestDirectory } from '../../test/test-directory.ts';
import { eventually } from '../../test/agent-bench.ts';
import type { Identity } from '../identity/identity.ts';
import { openManagerLink } from './manager-link.ts';
import type { ManagerSession } from './session.ts';

const directory = makeTestDirectory('link');

const identityOf = (server_id: string): Identity => ({
  server_id,
  name: server_id,
  manager_urls: [],
  pin: '',
  joined_at: '',
});

function countSessions() {
  const counts = { opened: 0, open: 0 };
  const openSession = async (): Promise<ManagerSession> => {
    counts.opened += 1;
    counts.open += 1;
    const session: Pick<ManagerSession, typeof Symbol.asyncDispose> = {
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        counts.open -= 1;
      },
    };
    return await Promise.resolve(session as ManagerSession);
  };
  return { counts, openSession };
}

test('a join while the agent is starting opens one session', async () => {
  const { counts, openSession } = countSessions();
  let [identity, reads]: [Identity | undefined, number] = [undefined, 0];
  const readIdentity = async (): Promise<Identity | undefined> => {
    reads += 1;
    return await Promise.resolve(identity);
  };
  const link = await openManagerLink({ stateDir: directory, readIdentity, openSession, log: silentLogger });
  identity = identityOf('a');
  writeFileSync(path.join(directory, 'identity.json'), '{}');
  await eventually('the join is noticed', () => reads > 1);
  expect(counts.opened).toBe(0);
  await link.start();
  expect(counts).toEqual({ opened: 1, open: 1 });
  identity = identityOf('b');
  writeFileSync(path.join(directory, 'identity.json'), '{ }');
  await eventually('the other one is noticed', () => counts.opened === 2);
  expect(counts.open).toBe(1);
  await link[Symbol.asyncDispose]();
  expect(counts.open).toBe(0);
});

test('a machine that gives no notices of files has its manager all the same', async () => {
  const { counts, openSession } = countSessions();
  await using link = await openManagerLink({
    stateDir: path.join(directory, 'nowhere'),
    readIdentity: async () => await Promise.resolve(identityOf('a')),
    openSession,
    log: silentLogger,
  });
  await link.start();
  expect(counts.open).toBe(1);
});
