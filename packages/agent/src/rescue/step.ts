import type { Disk } from '../state/disk.ts';
import type { Scene } from '../doctor/scene.ts';

/** What the operator asked for beyond mending. */
export interface Wishes {
  readonly liftQuarantine: boolean;
  readonly releaseHold: boolean;
  readonly removeRedirects: boolean;
  /** A program to put in; absolute. */
  readonly engine: string | undefined;
}

/** One thing to be done, in a sentence; without `act` it is only said, because a person has to do it. */
export interface Step {
  readonly what: string;
  readonly act?: () => Promise<void>;
}

export interface RescueScene {
  readonly scene: Scene;
  readonly disk: Disk;
  readonly wishes: Wishes;
  /** For names of what is set aside: `2026-01-01T00-00-00`. */
  readonly stamp: string;
}

/** One row of the table of repairs. Looking changes nothing; a repair that was done finds nothing more. */
export interface Repair {
  readonly name: string;
  readonly find: (rescue: RescueScene) => Promise<readonly Step[]>;
}
