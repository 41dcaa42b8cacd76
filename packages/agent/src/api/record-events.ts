import type { Reconciler } from '../order.ts';
import type { EventRing } from './event-ring.ts';

const printed = (value: unknown): string => JSON.stringify(value ?? null);

/** Turns changes of the reconciler's state into events. */
export function recordEvents(reconciler: Pick<Reconciler, 'state' | 'onChange'>, events: EventRing): Disposable {
  let before = reconciler.state;
  return reconciler.onChange(() => {
    const { state } = reconciler;
    if (state.running && printed(state.running) !== printed(before.running))
      events.add('server.serving', state.running);
    if (state.committed && printed(state.committed) !== printed(before.committed)) {
      events.add('server.committed', state.committed);
    }
    if (state.nack && printed(state.nack) !== printed(before.nack)) {
      const { epoch, generation, code, message } = state.nack;
      events.add('server.refused', { epoch, generation, code, detail: message });
    }
    if (state.held !== before.held)
      events.add(state.held === null ? 'server.released' : 'server.held', { detail: state.held });
    before = state;
  });
}
