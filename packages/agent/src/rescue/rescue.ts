import { messageOf } from '@sbox/core';
import { identity, journal } from './journal.ts';
import { leftovers } from './leftovers.ts';
import { permissions } from './permissions.ts';
import { room, roomBesideAgent } from './room.ts';
import type { Repair, RescueScene } from './step.ts';
import { trust } from './trust.ts';
import { version } from './version.ts';
import { engine, hold, quarantine, redirects } from './wishes.ts';

/** Done before the state directory is locked: what keeps it from being locked. */
export const beforeLock: readonly Repair[] = [leftovers, room, permissions];

/** In this order, because each rests on what those before it mended. */
export const afterLock: readonly Repair[] = [journal, identity, trust, version, hold, quarantine, redirects, engine];

/** What may be done while an agent runs: it reads these files anew each time. */
export const besideAgent: readonly Repair[] = [hold, quarantine];

/** The same, without anybody's asking for it: it needs no old logs, and notices that it may ask its manager again. */
export const besideAgentAlways: readonly Repair[] = [roomBesideAgent, trust];

/** All there is to do when the agent is uninstalled. */
export const forRemoval: readonly Repair[] = [redirects];

/** One line of a plan or of a report. */
export interface RescueLine {
  readonly repair: string;
  readonly what: string;
  /** `advice`: a person has to do it. */
  readonly state: 'planned' | 'advice' | 'done' | 'failed';
  readonly problem?: string;
}

export async function planRescue(
  rescue: RescueScene,
  repairs: readonly Repair[] = [...beforeLock, ...afterLock],
): Promise<RescueLine[]> {
  const lines: RescueLine[] = [];
  for (const repair of repairs) lines.push(...(await stepsOf(repair, rescue)).map(({ line }) => line));
  return lines;
}

/** Does everything that can be done, one after the other; what fails does not keep the rest from being done. */
export async function mend(open: () => RescueScene, repairs: readonly Repair[]): Promise<RescueLine[]> {
  const lines: RescueLine[] = [];
  for (const repair of repairs) {
    // Looked at anew: what was mended before may have changed what is to be done now.
    for (const { line, act } of await stepsOf(repair, open())) {
      if (act === undefined) lines.push(line);
      else {
        lines.push(
          await act().then(
            (): RescueLine => ({ ...line, state: 'done' }),
            (error: unknown): RescueLine => ({ ...line, state: 'failed', problem: messageOf(error) }),
          ),
        );
      }
    }
  }
  return lines;
}

interface Lined {
  readonly line: RescueLine;
  readonly act: (() => Promise<void>) | undefined;
}

async function stepsOf({ name: repair, find }: Repair, rescue: RescueScene): Promise<Lined[]> {
  try {
    const steps = await find(rescue);
    return steps.map(({ what, act }) => ({
      line: { repair, what, state: act === undefined ? 'advice' : 'planned' },
      act,
    }));
  } catch (error) {
    const line: RescueLine = { repair, what: `could not be looked at: ${messageOf(error)}`, state: 'advice' };
    return [{ line, act: undefined }];
  }
}
