import { watch } from 'node:fs';
import path from 'node:path';
import { messageOf } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { statePaths, type Identity } from '../identity/identity.ts';
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
  let isStopped = false;
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      problem = null;
      await work();
    } catch (error) {
      problem = messageOf(error);
      log.error('no session with the manager', errorFields(error));
    }
  };
  const read = async (): Promise<void> => {
    identity = await readIdentity();
  };
  const open = async (): Promise<void> => {
    session = identity && !isStopped ? await openSession(identity) : undefined;
  };
  const follow = async (): Promise<void> => {
    const before = JSON.stringify(identity);
    await read();
    if (JSON.stringify(identity) === before) return;
    log.info('identity changed', { server_id: identity?.server_id ?? null });
    await session?.[Symbol.asyncDispose]();
    await open();
  };

  await guarded(read);
  let work = Promise.resolve();
  const identityName = path.basename(statePaths(stateDir).identity);
  const watcher = watch(stateDir, { persistent: false }, (_, name) => {
    if (name === identityName) work = work.then(async () => await guarded(follow));
  });
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
      if (problem === null) await guarded(open);
    },
    async [Symbol.asyncDispose]() {
      isStopped = true;
      watcher.close();
      await work;
      await session?.[Symbol.asyncDispose]();
    },
  };
}
