import type { Clock, NewId } from '@sbox/core';
import type { Store } from '../../database/store.ts';
import { createAnswers } from './answers.ts';
import type { ClientLinks } from './client-links.ts';
import type { ClientOrigin } from './client-origin.ts';
import { createClientsService } from './clients-service.ts';
import { createFetchLog } from './fetch-log.ts';
import { createSharedRules } from './shared-rules.ts';
import { createSubService } from './sub-service.ts';

export interface ClientFeaturesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly clientLinks: ClientLinks;
  readonly clientOrigin: ClientOrigin;
}

/** Who takes configs at `/sub`, and what they are given there. */
export function createClientFeatures({ store, clock, newId, clientLinks: links, clientOrigin }: ClientFeaturesDeps) {
  const fetches = createFetchLog(store);
  const sharedRules = createSharedRules(store);
  return {
    clients: createClientsService({ store, clock, newId, links, fetches, sharedRules, origin: clientOrigin.origin }),
    serveSub: createSubService({ store, clock, answers: createAnswers({ store }), fetches, sharedRules }),
    clientFetches: fetches,
    clientOrigin,
  };
}

export type ClientFeatures = ReturnType<typeof createClientFeatures>;
