import { isoTime, type Clock, type EventMap, type EventName, type NewId, type SboxEvent } from '@sbox/core';
import type { Kysely } from 'kysely';
import { createMetaRepository } from '../../database/meta-repository.ts';
import type { PageRequest } from '../../database/page.ts';
import { omit } from '../../omit.ts';
import type { Tables } from '../../database/schema.ts';

export interface EventFilter {
  readonly prefix?: string | undefined;
  /** Beginnings of types that are left out. */
  readonly without?: readonly string[];
}

export interface EventsRepository {
  /** Writes an event; inside a transaction it is there exactly when the change is. */
  add<N extends EventName>(type: N, data: EventMap[N]): Promise<SboxEvent<N>>;
  /** Newest first; `after` is [seq]. One row more than the limit, when there is one. */
  list(page: PageRequest & EventFilter): Promise<SboxEvent[]>;
  /** Deletes at most `limit` of the events before a time; says how many. */
  removeBefore(time: string, limit: number): Promise<number>;
}

const source = 'manager';

export function createEventsRepository(
  db: Kysely<Tables>,
  tenant_id: string,
  { clock, newId, added }: { clock: Clock; newId: NewId; added: (event: SboxEvent) => void },
): EventsRepository {
  const meta = createMetaRepository(db, tenant_id);
  return {
    async add(type, data) {
      const seq = await meta.next('event_seq');
      const event = { id: newId('evt'), seq, type, timestamp: isoTime(clock.now()), source, data };
      await db
        .insertInto('events')
        .values({ ...event, tenant_id, data: JSON.stringify(data) })
        .execute();
      added(event);
      return event;
    },
    async list({ limit, after, prefix, without = [] }) {
      let query = db
        .selectFrom('events')
        .selectAll()
        .where('tenant_id', '=', tenant_id)
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('seq', '<', Number(after[0]));
      // A range instead of LIKE: no wildcard in what the caller sends.
      if (prefix) query = query.where('type', '>=', prefix).where('type', '<', `${prefix}\uffff`);
      for (const hidden of without)
        query = query.where((where) => where.or([where('type', '<', hidden), where('type', '>=', `${hidden}\uffff`)]));
      const rows = await query.execute();
      return rows.map((row) => ({ ...omit(row, 'tenant_id'), data: JSON.parse(row.data) as unknown }) as SboxEvent);
    },
    async removeBefore(time, limit) {
      const old = db
        .selectFrom('events')
        .select('seq')
        .where('tenant_id', '=', tenant_id)
        .where('timestamp', '<', time)
        .orderBy('seq')
        .limit(limit);
      const { numDeletedRows } = await db
        .deleteFrom('events')
        .where('tenant_id', '=', tenant_id)
        .where('seq', 'in', old)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
