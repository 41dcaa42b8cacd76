import { isoTime, type Clock } from '@sbox/core';
import type { Background } from '../../background.ts';
import type { Store } from '../../database/store.ts';
import type { Refresher } from './subscription-refresh.ts';

export interface ScheduleDeps {
  readonly store: Store;
  readonly refresher: Pick<Refresher, 'refreshDue'>;
  readonly clock: Clock;
  readonly background: Background;
}

const atOnce = 4;

/** Fetches what is due, a few at a time. A subscription stays due until its fetch is written down. */
export function createSchedule({ store, refresher, clock, background }: ScheduleDeps) {
  const active = new Set<string>();
  return async (): Promise<void> => {
    const due = await store.subscriptions.due(isoTime(clock.now()), 2 * atOnce);
    for (const { id } of due) {
      if (active.size >= atOnce) return;
      if (active.has(id)) continue;
      active.add(id);
      background.run('scheduled refresh', async () => {
        try {
          await refresher.refreshDue(id);
        } finally {
          active.delete(id);
        }
      });
    }
  };
}
