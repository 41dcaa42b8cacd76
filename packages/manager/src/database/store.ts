import type { Clock, NewId, SboxEvent } from '@sbox/core';
import type { Kysely } from 'kysely';
import type { Acting } from '../features/audit/acting.ts';
import { createAuditRepository, type AuditRepository } from '../features/audit/audit-repository.ts';
import { recordChange } from '../features/audit/record-change.ts';
import { createClientsRepository, type ClientsRepository } from '../features/clients/clients-repository.ts';
import { createConfigsRepository, type ConfigsRepository } from '../features/configs/configs-repository.ts';
import {
  createDeploymentsRepository,
  type DeploymentsRepository,
} from '../features/deployments/deployments-repository.ts';
import { createEnginesRepository, type EnginesRepository } from '../features/engines/engines-repository.ts';
import { createEventsRepository, type EventsRepository } from '../features/events/events-repository.ts';
import {
  createEnvironmentsRepository,
  type EnvironmentsRepository,
} from '../features/environments/environments-repository.ts';
import {
  createAssignmentsRepository,
  type AssignmentsRepository,
} from '../features/assignments/assignments-repository.ts';
import { createPoliciesRepository, type PoliciesRepository } from '../features/policies/policies-repository.ts';
import { createServersRepository, type ServersRepository } from '../features/servers/servers-repository.ts';
import {
  createSubscriptionsRepository,
  type SubscriptionsRepository,
} from '../features/subscriptions/subscriptions-repository.ts';
import { createRetentionRepository, type RetentionRepository } from '../features/retention/retention-repository.ts';
import { createRuleSetsRepository, type RuleSetsRepository } from '../features/rule-sets/rule-sets-repository.ts';
import { createSettingsRepository, type SettingsRepository } from '../features/settings/settings-repository.ts';
import { createTemplatesRepository, type TemplatesRepository } from '../features/templates/templates-repository.ts';
import { createTokensRepository, type TokensRepository } from '../access/tokens-repository.ts';
import { createIdentitiesRepository, type IdentitiesRepository } from '../features/people/identities-repository.ts';
import { createGuessesRepository, type GuessesRepository } from '../features/people/guesses-repository.ts';
import { createSessionsRepository, type SessionsRepository } from '../features/people/sessions-repository.ts';
import { createUsersRepository, type UsersRepository } from '../features/people/users-repository.ts';
import { createBlobsRepository, type BlobsRepository } from './blobs-repository.ts';
import { createContentStore, createServedContents } from './content-store.ts';
import { createMetaRepository, type MetaRepository } from './meta-repository.ts';
import { createNamesRepository, type NamesRepository } from './names-repository.ts';
import type { Tables } from './schema.ts';

/** Everything that is stored for one tenant. */
export interface Repositories {
  readonly meta: MetaRepository;
  readonly names: NamesRepository;
  readonly subscriptions: SubscriptionsRepository;
  readonly configs: ConfigsRepository;
  readonly clients: ClientsRepository;
  readonly servers: ServersRepository;
  readonly environments: EnvironmentsRepository;
  readonly assignments: AssignmentsRepository;
  readonly deployments: DeploymentsRepository;
  readonly engines: EnginesRepository;
  readonly events: EventsRepository;
  readonly audit: AuditRepository;
  readonly blobs: BlobsRepository;
  readonly ruleSets: RuleSetsRepository;
  readonly retention: RetentionRepository;
  readonly policies: PoliciesRepository;
  readonly templates: TemplatesRepository;
  readonly settings: SettingsRepository;
  readonly tokens: TokensRepository;
  readonly users: UsersRepository;
  readonly guesses: GuessesRepository;
  readonly identities: IdentitiesRepository;
  readonly sessions: SessionsRepository;
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
  /** Who acts, for the audit log; nobody but the manager itself without it. */
  readonly acting?: Pick<Acting, 'current'>;
}

export function createStore({ db, clock, newId, published, acting }: StoreDeps, tenant = 'main'): Store {
  const served = createServedContents();
  const contents = (connection: Kysely<Tables>) => createContentStore(connection, tenant, served);
  const repositories = (connection: Kysely<Tables>, added: (event: SboxEvent) => void): Repositories => ({
    meta: createMetaRepository(connection, tenant),
    names: createNamesRepository(connection, tenant),
    subscriptions: createSubscriptionsRepository(connection, tenant, contents(connection)),
    clients: createClientsRepository(connection, tenant),
    configs: createConfigsRepository(connection, tenant, contents(connection)),
    servers: createServersRepository(connection, tenant),
    environments: createEnvironmentsRepository(connection, tenant),
    assignments: createAssignmentsRepository(connection, tenant),
    deployments: createDeploymentsRepository(connection, tenant),
    engines: createEnginesRepository(connection, tenant),
    blobs: createBlobsRepository(connection, tenant, contents(connection)),
    ruleSets: createRuleSetsRepository(connection, tenant),
    retention: createRetentionRepository(connection, tenant, contents(connection)),
    settings: createSettingsRepository(connection, tenant),
    policies: createPoliciesRepository(connection, tenant),
    templates: createTemplatesRepository(connection, tenant),
    tokens: createTokensRepository(connection, tenant),
    users: createUsersRepository(connection, tenant),
    guesses: createGuessesRepository(connection, tenant),
    identities: createIdentitiesRepository(connection, tenant),
    sessions: createSessionsRepository(connection, tenant),
    events: createEventsRepository(connection, tenant, { clock, newId, added }),
    audit: createAuditRepository(connection, tenant),
  });
  const transaction: Store['transaction'] = async (run) => {
    const events: SboxEvent[] = [];
    const actor = acting?.current();
    let isRecorded = false;
    try {
      const result = await db.transaction().execute(async (connection) => {
        const tx = repositories(connection, (event) => events.push(event));
        const done = await run(tx);
        isRecorded = await recordChange({ audit: tx.audit, clock }, actor, events);
        return done;
      });
      if (events.length > 0) published(events);
      return result;
    } catch (error) {
      // What was written is gone with the transaction.
      if (isRecorded && actor) actor.recorded = undefined;
      throw error;
    }
  };
  const plain = repositories(db, () => {});
  return {
    ...plain,
    // With its number and its entry in the audit log, or not at all.
    events: {
      ...plain.events,
      add: async (type, data) => await transaction(async (tx) => await tx.events.add(type, data)),
    },
    transaction,
  };
}
