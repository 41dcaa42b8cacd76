import { ProblemError, type Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { Store } from '../../database/store.ts';
import type { DeploymentsService } from '../deployments/deployments-service.ts';
import { ownEngine } from '../deployments/deployment-target.ts';
import { frozenEnvironments } from '../environments/frozen-servers.ts';
import type { Presence } from '../servers/presence.ts';
import type { Server } from '../servers/servers-repository.ts';
import type { Assignment } from './assignments-repository.ts';
import { createMeaning } from './meant.ts';
import { newcomersKey, type Newcomers } from './newcomers-marks.ts';

export interface NewcomersDeps {
  readonly store: Store;
  readonly presence: Pick<Presence, 'isOnline' | 'isIsland'>;
  readonly deployments: Pick<DeploymentsService, 'deploy'>;
  readonly clock: Clock;
  readonly log: Logger;
}

const author = 'manager';

/**
 * Sends servers that have come to be meant what their assignment was deployed with, a few at a time as any deployment. Those
 * that are offline or frozen have their turn when they are not any more; after a refusal somebody has to look first.
 */
export function createNewcomers({ store, presence, deployments, clock, log }: NewcomersDeps) {
  /** Those that still lack what their assignment gives. */
  const lacking = async (assignment: Assignment, ids: readonly string[]): Promise<Server[]> => {
    const { config_id, unit, version } = assignment;
    if (version === null) return [];
    const sent = (await store.servers.assignments({ serverIds: ids })).filter((row) => row.unit === unit);
    const have = new Set(
      sent.filter((row) => row.config_id === config_id && row.version >= version).map(({ server_id }) => server_id),
    );
    const means = createMeaning(assignment);
    return (await store.servers.findMany(ids)).filter((server) => means(server) && !have.has(server.id));
  };

  /** Those that can be sent something now. */
  const ready = async (servers: readonly Server[], { config_id }: Assignment): Promise<Server[]> => {
    const there = servers.filter(({ id }) => presence.isIsland(id) || presence.isOnline(id));
    const frozen = await frozenEnvironments(store, clock, there);
    const running = (await store.deployments.running(config_id)).flatMap((one) => one.servers);
    const waiting = new Set(running.filter(({ state }) => state === 'waiting').map(({ server_id }) => server_id));
    return there.filter(
      ({ id, environment }) => !waiting.has(id) && (environment === null || !frozen.has(environment)),
    );
  };

  /** What is left to do for an assignment; undefined when that is nothing. */
  const bring = async (
    assignment: Assignment,
    { servers: ids, deployment }: Newcomers,
  ): Promise<Newcomers | undefined> => {
    const before = deployment === undefined ? undefined : await store.deployments.find(deployment);
    if (before?.state === 'running') return { servers: ids, deployment: before.id };
    const refused = new Set(before?.state === 'halted' ? before.servers.map(({ server_id }) => server_id) : []);
    const left = (await lacking(assignment, ids)).filter(({ id }) => !refused.has(id));
    const servers = left.map(({ id }) => id);
    const now = await ready(left, assignment);
    if (now.length === 0) return servers.length === 0 ? undefined : { servers };
    const { id } = await deployments.deploy(assignment.config_id, {
      version: assignment.version ?? 0,
      servers: now.map((server) => server.id),
      engine: assignment.engine === '' ? ownEngine : assignment.engine,
      message: `${assignment.name} means them`,
      author,
      newcomers_of: assignment.id,
    });
    return { servers, deployment: id };
  };

  return {
    async tick(): Promise<void> {
      for (const [key, value] of await store.meta.list(newcomersKey)) {
        const assignment = await store.assignments.find(key.slice(newcomersKey.length));
        const stored = JSON.parse(value) as Newcomers;
        let left: Newcomers | undefined;
        try {
          left = assignment && (await bring(assignment, stored));
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          // A freeze that has begun just now.
          if (error.code === 'environment.frozen') continue;
          log.warn('newcomers were not brought up', { assignment: assignment?.name, ...errorFields(error) });
        }
        await settle(store, key, stored, left);
      }
    },
  };
}

/** Writes down what is left, beside those that have come meanwhile. */
async function settle(store: Store, key: string, looked: Newcomers, left: Newcomers | undefined): Promise<void> {
  await store.transaction(async (tx) => {
    const value = await tx.meta.get(key);
    if (value === undefined) return;
    const now = JSON.parse(value) as Newcomers;
    const came = now.servers.filter((id) => !looked.servers.includes(id));
    const servers = [...(left?.servers ?? []), ...came];
    if (servers.length === 0) return await tx.meta.remove(key, value);
    const next: Newcomers = { servers, ...(left?.deployment === undefined ? {} : { deployment: left.deployment }) };
    if (JSON.stringify(next) !== value) await tx.meta.set(key, JSON.stringify(next));
  });
}
