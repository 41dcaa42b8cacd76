import type { Clock, EventMap, EventName, SboxEvent } from '@sbox/core';
import type { AuditChange, AuditContent } from '@sbox/protocol';
import type { Actor, ActorScope } from './acting.ts';
import { appendEntry, type AuditSaid } from './append-entry.ts';
import type { AuditRepository } from './audit-repository.ts';

type Who = Pick<AuditContent, 'actor_type' | 'actor_id' | 'actor_name' | 'token_id'>;

/** What is recorded though nobody asked for it: what decides what servers run, and by which key they are known. */
const decisions: ReadonlySet<EventName> = new Set([
  'config.version-created',
  'deployment.started',
  'deployment.halted',
  // The first request that is signed by the next key does it, whatever it asks.
  'server.key-rotated',
]);

/** Events that tell of a refusal, not of a change. */
const refusals: ReadonlySet<EventName> = new Set(['session.refused']);

/** What happens on the way to a change, and is one itself only for the operation that asks for it. */
const onTheWay: { readonly [N in EventName]?: string } = {
  'rule-set.changed': 'refreshRuleSets',
  'rule-set.fetch-failed': 'refreshRuleSets',
};

const serverOf = (id: string): Who => ({ actor_type: 'server', actor_id: id, actor_name: id, token_id: null });

/** Who came as nobody, or before it was known who comes. */
const newcomers: { readonly [N in EventName]?: (data: EventMap[N]) => Who } = {
  'session.opened': ({ session_id, user_id, name }) => ({
    actor_type: 'session',
    actor_id: user_id,
    actor_name: name,
    token_id: session_id,
  }),
  'server.joined': ({ server_id, name }) => ({ ...serverOf(server_id), actor_name: name }),
  'server.key-rotated': ({ server_id }) => serverOf(server_id),
};

const mostEvents = 100;
const longestParam = 128;

/**
 * Appends the entry of a transaction to that transaction; call it before the commit. An actor leaves one entry a request,
 * with the first transaction that left an event. Says whether the actor was recorded now.
 */
export async function recordChange(
  { audit, clock }: { readonly audit: AuditRepository; readonly clock: Clock },
  actor: ActorScope | undefined,
  events: readonly SboxEvent[],
): Promise<boolean> {
  if (actor === undefined) {
    const decided = events.filter(({ type }) => decisions.has(type));
    if (decided.length > 0)
      await appendEntry(audit, clock, { ...theManager, ...newcomerOf(decided), change: changeOf(decided) });
    return false;
  }
  const isChange = events.some(({ type }) => (onTheWay[type] ?? actor.routeId) === actor.routeId);
  if (!isChange || actor.recorded !== undefined) return false;
  const result = events.some(({ type }) => refusals.has(type)) ? 'denied' : 'ok';
  await appendEntry(audit, clock, {
    ...describeActor(actor),
    ...(actor.caller.kind === 'anonymous' ? newcomerOf(events) : {}),
    result,
    code: null,
    change: changeOf(events),
  });
  actor.recorded = result;
  return true;
}

const theManager: Omit<AuditSaid, 'change'> = {
  actor_type: 'system',
  actor_id: 'system',
  actor_name: 'system',
  token_id: null,
  ip: '',
  request_id: '',
  action: 'system',
  object: {},
  result: 'ok',
  code: null,
};

/** Everything of an entry that is known before it is known what came of it. */
export const describeActor = ({
  caller: { kind, id, name, user_id },
  remoteAddress,
  requestId,
  routeId,
  object,
}: Actor): Omit<AuditSaid, 'result' | 'code' | 'change'> => ({
  actor_type: kind,
  actor_id: user_id ?? id,
  actor_name: name,
  token_id: kind === 'token' || kind === 'session' ? id : null,
  ip: remoteAddress,
  request_id: requestId,
  action: routeId,
  object: Object.fromEntries(Object.entries(object).map(([key, value]) => [key, value.slice(0, longestParam)])),
});

function changeOf(events: readonly SboxEvent[]): AuditChange[] {
  const told = events.slice(0, mostEvents).map(({ type, data }) => ({ type, data: { ...data } }));
  return events.length <= mostEvents ? told : [...told, { type: 'more', data: { events: events.length - mostEvents } }];
}

function newcomerOf(events: readonly SboxEvent[]): Partial<Who> {
  for (const { type, data } of events) {
    const who = newcomers[type] as ((data: unknown) => Who) | undefined;
    if (who) return who(data);
  }
  return {};
}
