/** What decides how an engine takes a new rendition. */
export interface UnitState {
  readonly rendition_digest: string;
  /** Version of the program, or any text that changes with the program. */
  readonly engine: string;
}

export interface ReloadPlan {
  /** `reload` is a signal to the running process, `restart` a new process. */
  readonly kind: 'none' | 'reload' | 'restart';
  readonly reason: string;
}

/** How to get from what runs to what should run; `live` is undefined when nothing runs. */
export function planReload(live: UnitState | undefined, wanted: UnitState): ReloadPlan {
  if (live === undefined) return { kind: 'restart', reason: 'nothing runs yet' };
  if (live.engine !== wanted.engine) {
    return { kind: 'restart', reason: `the engine changes from ${live.engine} to ${wanted.engine}` };
  }
  if (live.rendition_digest !== wanted.rendition_digest) return { kind: 'reload', reason: 'the configuration changes' };
  return { kind: 'none', reason: 'this rendition already runs' };
}
