import { isoTime, type Clock, type NewId } from '@sbox/core';

/** Something that happened on this server. */
export interface AgentEvent {
  readonly id: string;
  readonly seq: number;
  readonly type: string;
  readonly timestamp: string;
  readonly source: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The last events of this run; older ones are dropped, a gap in `seq` tells it. */
export interface EventRing {
  add(type: string, data?: Readonly<Record<string, unknown>>): void;
  /** Newest first, before `cursor` (a seq). */
  list(limit: number, cursor?: string): { items: AgentEvent[]; next_cursor: string | null };
  /** How many there were of each type. */
  readonly counts: ReadonlyMap<string, number>;
}

const capacity = 1000;

export function createEventRing(clock: Clock, newId: NewId, source: string): EventRing {
  let events: AgentEvent[] = [];
  const counts = new Map<string, number>();
  let seq = 0;
  return {
    counts,
    add(type, data = {}) {
      seq += 1;
      counts.set(type, (counts.get(type) ?? 0) + 1);
      const event = { id: newId('evt'), seq, type, timestamp: isoTime(clock.now()), source, data };
      events = [...events.slice(1 - capacity), event];
    },
    list(limit, cursor) {
      const before = cursor === undefined ? Infinity : Number(cursor);
      const older = events.filter((event) => event.seq < before);
      const items = older.slice(-limit).toReversed();
      const last = items.at(-1);
      return { items, next_cursor: last && older.length > items.length ? String(last.seq) : null };
    },
  };
}
