import type { Kysely } from 'kysely';
import type { GuessRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type Guess = Omit<GuessRow, 'tenant_id'>;

/** Wrong passwords and codes by person and place. A place is what is limited: an IPv4 address, or a /64. */
export interface GuessesRepository {
  find(userId: string, place: string): Promise<Guess | undefined>;
  put(guess: Guess): Promise<void>;
  /** Of one place, or of all. */
  forget(userId: string, place?: string): Promise<void>;
  /** Leaves a user the newest places, and of these what is newer than `since`. */
  removeBeyond(userId: string, kept: number, since: string): Promise<void>;
  /** The latest end of a lock by user, of those that have one after `now`. */
  lockedUntil(userIds: readonly string[], now: string): Promise<ReadonlyMap<string, string>>;
}

export function createGuessesRepository(db: Kysely<Tables>, tenant_id: string): GuessesRepository {
  const remove = (userId: string) =>
    db.deleteFrom('guesses').where('tenant_id', '=', tenant_id).where('user_id', '=', userId);
  return {
    async find(userId, place) {
      const row = await db
        .selectFrom('guesses')
        .selectAll()
        .where('tenant_id', '=', tenant_id)
        .where('user_id', '=', userId)
        .where('place', '=', place)
        .executeTakeFirst();
      return row && omit(row, 'tenant_id');
    },
    async put(guess) {
      await db
        .insertInto('guesses')
        .values({ ...guess, tenant_id })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'user_id', 'place']).doUpdateSet(guess))
        .execute();
    },
    async forget(userId, place) {
      const all = remove(userId);
      await (place === undefined ? all : all.where('place', '=', place)).execute();
    },
    async removeBeyond(userId, kept, since) {
      const newest = db
        .selectFrom('guesses')
        .select('place')
        .where('tenant_id', '=', tenant_id)
        .where('user_id', '=', userId)
        .where('guessed_at', '>', since)
        .orderBy('guessed_at', 'desc')
        .orderBy('place')
        .limit(kept);
      await remove(userId).where('place', 'not in', newest).execute();
    },
    async lockedUntil(userIds, now) {
      if (userIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('guesses')
        .select(({ fn }) => ['user_id', fn.max('locked_until').as('until')])
        .where('tenant_id', '=', tenant_id)
        .where('user_id', 'in', userIds)
        .where('locked_until', '>', now)
        .groupBy('user_id')
        .execute();
      return new Map(rows.map(({ user_id, until }) => [user_id, String(until)]));
    },
  };
}
