import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { statePaths, type Identity } from '../identity/identity.ts';
import { watchDirectory } from '../state/watch-directory.ts';
import type { ManagerSession } from './session.ts';

export interface ManagerLinkDeps {
  readonly stateDir: string;
  readonly readIdentity: () => Promise<Identity | undefined>;
  /** Undefined when the identity names no manager. */
  readonly openSession: (identity: Identity) => Promise<ManagerSession | undefined>;
  readonly log: Logger;
}

/** Who this server is and its session with the manager; both follow `sboxagent join` while the agent runs. */
export interface ManagerLink extends AsyncDisposable {
  readonly identity: Identity | undefined;
  readonly session: ManagerSession | undefined;
  /** Why there is no session although there should be one: a file of identity or trust cannot be used. */
  readonly problem: string | null;
  /** Opens the session; from then on a new identity in the state directory replaces it. */
  start(): Promise<void>;
}

/** Damaged files of identity or trust cost the manager, never what runs. */
export async function openManagerLink(deps: ManagerLinkDeps): Promise<ManagerLink> {
  const { stateDir, readIdentity, openSession, log } = deps;
  let identity: Identity | undefined;
  let session: ManagerSession | undefined;
  let problem: string | null = null;
  let [isStarted, isStopped] = [false, false];
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      problem = null;
      await work();
    } catch (error) {
      problem = error instanceof ProblemError ? `${error.message}. ${error.fix}` : messageOf(error);
      log.error('no session with the manager', errorFields(error));
    }
  };
  const read = async (): Promise<void> => {
    identity = await readIdentity();
  };
  const open = async (): Promise<void> => {
    session = identity && isStarted && !isStopped ? await openSession(identity) : undefined;
  };
  const follow = async (): Promise<void> => {
    const before = JSON.stringify(identity);
    await read();
    if (JSON.stringify(identity) === before) return;
    log.info('identity changed', { server_id: identity?.server_id ?? null });
    await session?.[Symbol.asyncDispose]();
    await open();
  };

  const reopen = async (): Promise<void> => {
    await read();
    if (session === undefined) await open();
  };

  const openFirst = async (): Promise<void> => {
    if (problem === null && session === undefined) await guarded(open);
  };

  await guarded(read);
  // One thing at a time: a join may come while the first session is being opened.
  let work = Promise.resolve();
  const [identityName, trustName] = [statePaths(stateDir).identity, statePaths(stateDir).trust].map((file) =>
    path.basename(file),
  );
  const watched = watchDirectory(stateDir, (name) => {
    if (name === identityName) work = work.then(async () => await guarded(follow));
    // Mended while this agent runs; a session that there is has its trust already.
    if (name === trustName && problem !== null) work = work.then(async () => await guarded(reopen));
  });
  if (watched === undefined)
    log.warn('a join is noticed at the next start only: this machine gives no notices of files');
  return {
    get identity() {
      return identity;
    },
    get session() {
      return session;
    },
    get problem() {
      return problem;
    },
    async start() {
      isStarted = true;
      work = work.then(openFirst);
      await work;
    },
    async [Symbol.asyncDispose]() {
      isStopped = true;
      watched?.[Symbol.dispose]();
      await work;
      await session?.[Symbol.asyncDispose]();
    },
  };
}
