import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { Replay, ReplayAnswer } from '@sbox/daemon/serve';
import type { Kysely } from 'kysely';
import type { Tables } from './database/schema.ts';
import type { KeyedQueue } from './keyed-queue.ts';

export interface IdempotencyDeps {
  readonly db: Kysely<Tables>;
  readonly clock: Clock;
  readonly queue: KeyedQueue;
}

export interface Idempotency extends Replay {
  /** Forgets what is older than a day, at most `limit` rows. */
  clean(limit: number): Promise<void>;
}

const keptMs = 86_400_000;
/** An answer that shows a new token or link is not kept: the manager stores only digests of them. */
const holdsToken = /"sbox_(?:join|pat|svc)_|"link":"/;

/** Answers by caller and Idempotency-Key. */
export function createIdempotency({ db, clock, queue }: IdempotencyDeps, tenant_id = 'main'): Idempotency {
  const find = async (caller_id: string, key: string) =>
    await db
      .selectFrom('idempotency_keys')
      .select(['request_digest', 'status', 'answer', 'created_at'])
      .where('tenant_id', '=', tenant_id)
      .where('caller_id', '=', caller_id)
      .where('key', '=', key)
      .executeTakeFirst();

  return {
    async once(caller, { key, digest }, run) {
      if (key.length > 128) throw new ProblemError('request.invalid', 'Idempotency-Key is longer than 128 characters');
      return await queue.run(`idempotency ${caller.id} ${key}`, async () => {
        const known = await find(caller.id, key);
        if (known && Date.parse(known.created_at) > clock.now() - keptMs) {
          if (known.request_digest === digest)
            return { answer: { status: known.status, text: known.answer }, isReplay: true };
          throw new ProblemError('request.idempotency-mismatch', 'the key was used for another request');
        }
        const answer: ReplayAnswer = await run();
        if (!holdsToken.test(answer.text)) {
          const row = {
            request_digest: digest,
            status: answer.status,
            answer: answer.text,
            created_at: isoTime(clock.now()),
          };
          await db
            .insertInto('idempotency_keys')
            .values({ tenant_id, caller_id: caller.id, key, ...row })
            .onConflict((conflict) => conflict.columns(['tenant_id', 'caller_id', 'key']).doUpdateSet(row))
            .execute();
        }
        return { answer, isReplay: false };
      });
    },
    async clean(limit) {
      const old = db
        .selectFrom('idempotency_keys')
        .select(['caller_id', 'key'])
        .where('tenant_id', '=', tenant_id)
        .where('created_at', '<', isoTime(clock.now() - keptMs))
        .limit(limit);
      for (const { caller_id, key } of await old.execute()) {
        await db
          .deleteFrom('idempotency_keys')
          .where('tenant_id', '=', tenant_id)
          .where('caller_id', '=', caller_id)
          .where('key', '=', key)
          .execute();
      }
    },
  };
}
