import type { Clock } from '@sbox/core';
import type { Control, ControlApi } from '../engines/control-api.ts';

/** Looks at most, of which the first ones only say what is usual; and the pause between two. */
const [maxLooks, learned, pauseMs] = [24, 4, 8] as const;

/** More than this takes longer to count than to wait for. */
const maxCounted = 1000;

/**
 * Waits a moment for one with as few connections as possible: what is under way when an engine ends is lost, and most
 * requests are short. Never long, and never fails.
 */
export async function untilQuiet(
  { clock, control: api }: { readonly clock: Clock; readonly control: ControlApi },
  control: Control,
): Promise<void> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let looks = 1; looks <= maxLooks; looks += 1) {
    const open = await api.connections(control).then(
      (carried) => carried.open,
      () => 0,
    );
    if (open === 0 || open > maxCounted || (looks > learned && open <= fewest)) return;
    fewest = Math.min(fewest, open);
    await clock.sleep(pauseMs);
  }
}
