import type { AgentStatus } from '@sbox/protocol';
import type { Reconciler } from '../order.ts';
import { describeEvents } from './describe-events.ts';
import type { EventRing } from './event-ring.ts';

export interface RecordEventsDeps {
  readonly reconciler: Pick<Reconciler, 'onChange'>;
  readonly status: () => AgentStatus;
  readonly events: EventRing;
}

/** How often a strategy was used since the agent started, and how many connections it ended. */
export interface ReloadTally {
  readonly count: number;
  readonly ended: number;
}

export interface EventRecorder extends Disposable {
  readonly reloads: ReadonlyMap<string, ReloadTally>;
}

/** Turns changes of what the agent says of itself into events. */
export function recordEvents({ reconciler, status, events }: RecordEventsDeps): EventRecorder {
  const reloads = new Map<string, ReloadTally>();
  let before = status();
  const listening = reconciler.onChange(() => {
    const now = status();
    for (const { type, data } of describeEvents(before, now)) {
      events.add(type, data);
      if (type !== 'reload.done') continue;
      const strategy = String(data['strategy']);
      const { count, ended } = reloads.get(strategy) ?? { count: 0, ended: 0 };
      reloads.set(strategy, { count: count + 1, ended: ended + Number(data['will_end'] ?? 0) });
    }
    before = now;
  });
  return { reloads, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}
