/** Which desired state: generations count up inside an epoch; restoring an old database must raise the epoch. */
export interface Generation {
  readonly epoch: number;
  readonly generation: number;
}

/** Negative when `a` is older than `b`, positive when newer, 0 when equal. */
export const compareGenerations = (a: Generation, b: Generation): number =>
  a.epoch - b.epoch || a.generation - b.generation;

export const printGeneration = ({ epoch, generation }: Generation): string => `${epoch}.${generation}`;
