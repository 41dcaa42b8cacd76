import type { Clock } from '@sbox/core';
import type { Client, localRoutes } from '@sbox/protocol';
import type { Engine } from '../engines/find-engine.ts';
import type { CommandResult } from '../engines/run-command.ts';
import { readIdentity, statePaths, type Identity } from '../identity/identity.ts';
import { readLockHolder } from '../identity/state-lock.ts';
import type { AgentSettings } from '../settings/schema.ts';
import { createDisk } from '../state/disk.ts';
import { inspectState, type InspectedState } from '../state/inspect.ts';
import type { Proc, ProcessIdentity } from '../supervisor/proc.ts';
import { findProcessesWith } from '../supervisor/find-processes.ts';
import { readTrust, type Trusted } from '../trust/trust-store.ts';

/** What the checks need of this machine; tests hand in their own. */
export interface SceneDeps {
  readonly settings: AgentSettings;
  /** Absolute. */
  readonly stateDir: string;
  readonly clock: Clock;
  readonly uid: number;
  readonly proc: Proc;
  /** Runs a short-lived program of this machine, found as a shell would find it. */
  readonly run: (program: string, args: readonly string[]) => Promise<CommandResult>;
  readonly findEngine: () => Promise<Engine | undefined>;
  readonly agent: Client<typeof localRoutes>;
}

/** A server as it is now: everything is read once, when the first check asks for it, and nothing is changed. */
export interface Scene extends SceneDeps {
  readonly state: () => Promise<InspectedState>;
  /** @throws ProblemError `settings.invalid` when its file is damaged */
  readonly identity: () => Promise<Identity | undefined>;
  /** @throws ProblemError `manager.untrusted` when the document was changed */
  readonly trusted: () => Promise<Trusted | undefined>;
  /** Where the manager is: the settings win over what joining wrote. */
  readonly urls: () => Promise<readonly string[]>;
  /** Pid of the agent that holds the state directory. */
  readonly agentPid: () => Promise<number | undefined>;
  /** Engines that run from this state directory, of whatever user. */
  readonly engines: () => readonly ProcessIdentity[];
}

const once = <T>(look: () => Promise<T>): (() => Promise<T>) => {
  let found: Promise<T> | undefined;
  return async () => await (found ??= look());
};

export function createScene(deps: SceneDeps): Scene {
  const { stateDir, settings, proc } = deps;
  const identity = once(async () => await readIdentity(stateDir));
  return {
    ...deps,
    state: once(async () => await inspectState(createDisk(), stateDir)),
    identity,
    trusted: once(async () => {
      const known = await identity();
      return known && (await readTrust(stateDir, known.pin));
    }),
    urls: once(async () => {
      if (settings.manager.urls.length > 0) return settings.manager.urls;
      return (await identity().catch(() => undefined))?.manager_urls ?? [];
    }),
    agentPid: once(async () => await readLockHolder(statePaths(stateDir).lock)),
    engines: () => findProcessesWith({ ...proc, ownerOf: () => 0, ownUser: () => 0 }, `${stateDir}/slots`),
  };
}
