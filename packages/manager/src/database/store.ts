import type { Clock, NewId, SboxEvent } from '@sbox/core';
import type { Kysely } from 'kysely';
import { createConfigsRepository, type ConfigsRepository } from '../features/configs/configs-repository.ts';
import {
  createDeploymentsRepository,
  type DeploymentsRepository,
} from '../features/deployments/deployments-repository.ts';
import { createEnginesRepository, type EnginesRepository } from '../features/engines/engines-repository.ts';
import { createEventsRepository, type EventsRepository } from '../features/events/events-repository.ts';
import { createServersRepository, type ServersRepository } from '../features/servers/servers-repository.ts';
import {
  createSubscriptionsRepository,
  type SubscriptionsRepository,
} from '../features/subscriptions/subscriptions-repository.ts';
import { createRuleSetsRepository, type RuleSetsRepository } from '../features/rule-sets/rule-sets-repository.ts';
import { createTemplatesRepository, type TemplatesRepository } from '../features/templates/templates-repository.ts';
import { createBlobsRepository, type BlobsRepository } from './blobs-repository.ts';
import { createMetaRepository, type MetaRepository } from './meta-repository.ts';
import type { Tables } from './schema.ts';

/** Everything that is stored for one tenant. */
export interface Repositories {
  readonly meta: MetaRepository;
  readonly subscriptions: SubscriptionsRepository;
  readonly configs: ConfigsRepository;
  readonly servers: ServersRepository;
  readonly deployments: DeploymentsRepository;
  readonly engines: EnginesRepository;
  readonly events: EventsRepository;
  readonly blobs: BlobsRepository;
  readonly ruleSets: RuleSetsRepository;
  readonly templates: TemplatesRepository;
}

export interface Store extends Repositories {
  /**
   * All or nothing. Inside, only `tx` may be used: SQLite has one connection, and whoever asks the store itself waits
   * for the end of the transaction that it is part of.
   */
  transaction<T>(run: (tx: Repositories) => Promise<T>): Promise<T>;
}

export interface StoreDeps {
  readonly db: Kysely<Tables>;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Hears of events once they are stored for good. */
  readonly published: (events: readonly SboxEvent[]) => void;
}

export function createStore({ db, clock, newId, published }: StoreDeps, tenant = 'main'): Store {
  const repositories = (connection: Kysely<Tables>, added: (event: SboxEvent) => void): Repositories => ({
    meta: createMetaRepository(connection, tenant),
    subscriptions: createSubscriptionsRepository(connection, tenant),
    configs: createConfigsRepository(connection, tenant),
    servers: createServersRepository(connection, tenant),
    deployments: createDeploymentsRepository(connection, tenant),
    engines: createEnginesRepository(connection, tenant),
    blobs: createBlobsRepository(connection, tenant),
    ruleSets: createRuleSetsRepository(connection, tenant),
    templates: createTemplatesRepository(connection, tenant),
    events: createEventsRepository(connection, tenant, { clock, newId, added }),
  });
  return {
    ...repositories(db, (event) => published([event])),
    async transaction(run) {
      const events: SboxEvent[] = [];
      const result = await db
        .transaction()
        .execute(async (connection) => await run(repositories(connection, (event) => events.push(event))));
      if (events.length > 0) published(events);
      return result;
    },
  };
}
