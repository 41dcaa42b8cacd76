import { isoTime, type Clock } from '@sbox/core';
import type { Probe as ProbeTargets } from '@sbox/protocol';
import type { RunProbe } from './probe.ts';

/** Why this machine seems to be cut off, and since when. */
export interface UplinkDown {
  readonly since: string;
  readonly detail: string;
}

/**
 * Tells a bad config from a bad line: does this machine reach the targets itself, without any engine?
 *
 * Where targets are blocked without a proxy, that says "down" although the line is good. So whoever asks first tries
 * what is stronger, a request through the last good version, and asks here only when that fails too.
 */
export interface Uplink {
  /**
   * True only after two direct failures in a row. Then nobody is to blame: no strike, no rollback, no restart.
   * Rejects with the signal's reason when that aborts.
   */
  isDown(targets: ProbeTargets, signal: AbortSignal): Promise<boolean>;
  /** What the last look found, for the condition `UplinkDown`; null while the line is good or nobody asked. */
  readonly down: UplinkDown | null;
  /** Looks again with the targets of the last question, if the line was down: nobody else may ask for a long time. */
  recheck(signal: AbortSignal): Promise<void>;
}

export interface UplinkDeps {
  readonly probe: RunProbe;
  readonly clock: Clock;
  /** Called when `down` appears or goes. */
  readonly onChange: () => void;
}

/** Between the two looks: longer than a lost packet, shorter than the patience of whoever asks. */
const pauseMs = 1000;

export function createUplink({ probe, clock, onChange }: UplinkDeps): Uplink {
  let down: UplinkDown | null = null;
  let asked: ProbeTargets | undefined;

  function show(detail: string | undefined): void {
    const before = down;
    down = detail === undefined ? null : { since: before?.since ?? isoTime(clock.now()), detail };
    if ((before === null) !== (down === null)) onChange();
  }

  /** Words of the failure; undefined when a single target answers. */
  async function look(targets: ProbeTargets, signal: AbortSignal): Promise<string | undefined> {
    const { ok, detail } = await probe(undefined, { ...targets, need: 1 }, signal);
    // An aborted look fails too, and must not count as one.
    signal.throwIfAborted();
    return ok ? undefined : detail;
  }

  async function isDown(targets: ProbeTargets, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    asked = targets;
    let failed = await look(targets, signal);
    // After a failure that is known already, one more is the second in a row.
    if (failed !== undefined && down === null) {
      await clock.sleep(pauseMs, signal);
      failed = await look(targets, signal);
    }
    show(failed);
    return failed !== undefined;
  }

  return {
    isDown,
    get down() {
      return down;
    },
    async recheck(signal) {
      if (down !== null && asked !== undefined) await isDown(asked, signal);
    },
  };
}
