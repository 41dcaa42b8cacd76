import type { Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { Exchange, MountOptions, Step } from '@sbox/daemon/serve';
import type { Route } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import type { Acting, Actor } from './acting.ts';
import { appendEntry } from './append-entry.ts';
import { verdictOn, type Refusals } from './audit-refusals.ts';
import { describeActor } from './record-change.ts';

export interface AuditStepDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly acting: Acting;
  readonly refusals: Refusals;
}

export interface AuditStep {
  readonly around: Step;
  readonly refused: NonNullable<MountOptions['refused']>;
  /** The same for what is no request of a route: the upgrade of a socket. */
  readonly denied: (actor: Actor, error: unknown) => Promise<void>;
}

/** What servers say of themselves all day; it orders nothing, and is kept as events. */
const unrecorded: ReadonlySet<string> = new Set(['postStatus']);

/** Reads that change something all the same: a browser comes back from an identity provider by one. */
const changing: ReadonlySet<string> = new Set(['finishOidc']);

const changes = ({ method, id }: Route): boolean => (method === 'get' ? changing.has(id) : !unrecorded.has(id));

/** Words that mean yes. The query takes only one of them; who tried another way is written down too. */
const yes = /^(?:true|1|yes|on|y|enabled)$/i;

/** A read whose answer has secrets in it. */
function showsSecrets({ route, request }: Exchange): boolean {
  if (route.method !== 'get') return false;
  if (route.permission === 'secrets:reveal') return true;
  const start = request.path.indexOf('?');
  return start >= 0 && yes.test(new URLSearchParams(request.path.slice(start)).get('reveal') ?? '');
}

const actorOf = ({ caller, request, requestId, route, params }: Exchange): Actor => ({
  caller,
  remoteAddress: request.remoteAddress,
  requestId,
  routeId: route.id,
  object: params,
});

/** Says who acts while a handler runs, and records what leaves no change: reads of secrets, refusals and failures. */
export function createAuditStep({ store, clock, log, acting, refusals }: AuditStepDeps): AuditStep {
  const add = async (actor: Actor, error: unknown): Promise<void> => {
    try {
      await refusals.add(actor, error);
    } catch (cause) {
      // The caller is answered why its request came to nothing, not why that could not be written down.
      log.error('a refusal could not be recorded', { request_id: actor.requestId, ...errorFields(cause) });
    }
  };
  const isDenied = (error: unknown): boolean => verdictOn(error).result === 'denied';
  const note = async (exchange: Exchange, error: unknown): Promise<void> => {
    if (isDenied(error) || changes(exchange.route) || showsSecrets(exchange)) await add(actorOf(exchange), error);
  };
  const noteRead = async (exchange: Exchange): Promise<void> => {
    const entry = { ...describeActor(actorOf(exchange)), result: 'ok', code: null, change: [] };
    await store.transaction(async ({ audit }) => await appendEntry(audit, clock, entry));
  };
  const handled = async (exchange: Exchange, next: () => Promise<Response>): Promise<Response> => {
    try {
      const response = await next();
      // Before the answer goes out: secrets that nobody could record are not shown.
      if (showsSecrets(exchange)) await noteRead(exchange);
      return response;
    } catch (error) {
      // What did not come to the handler is told to `refused`; a refusal that was written with its event is there.
      if (exchange.isHandled && acting.current()?.recorded !== 'denied') await note(exchange, error);
      throw error;
    }
  };
  return {
    around: async (exchange, next) =>
      changes(exchange.route)
        ? await acting.run(actorOf(exchange), async () => await handled(exchange, next))
        : await handled(exchange, next),
    refused: note,
    denied: async (actor, error) => {
      if (isDenied(error)) await add(actor, error);
    },
  };
}
