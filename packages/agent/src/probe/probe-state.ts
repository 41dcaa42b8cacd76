/** What one look of a probe found. */
export interface LookResult {
  /** Null when nothing could be found out, which blames nobody. */
  readonly ok: boolean | null;
  readonly detail: string;
}

/** What the looks of one probe add up to. */
export interface ProbeState {
  readonly id: string;
  /** Null until enough looks agree. */
  readonly up: boolean | null;
  readonly detail: string;
  readonly at: string;
}

export interface ProbeCount {
  readonly up: boolean | null;
  /** Looks in a row that say the opposite of `up`. */
  readonly streak: number;
}

export const freshCount: ProbeCount = { up: null, streak: 0 };

export interface Thresholds {
  readonly fail?: number | undefined;
  readonly pass?: number | undefined;
}

const [failDefault, passDefault] = [3, 2];

/** Pure. The first good look is enough for a probe that was never down; one that found nothing out changes nothing. */
export function countLook({ up, streak }: ProbeCount, ok: boolean | null, thresholds: Thresholds): ProbeCount {
  if (ok === null || ok === up) return ok === null ? { up, streak } : { up, streak: 0 };
  const { fail = failDefault, pass = passDefault } = thresholds;
  const needed = ok ? (up === null ? 1 : pass) : fail;
  if (streak + 1 >= needed) return { up: ok, streak: 0 };
  return { up, streak: streak + 1 };
}

/** The first that is down, in the order of the manifest: it makes its unit `degraded`, and fails a look of the watch. */
export const findDown = (states: readonly ProbeState[]): ProbeState | undefined =>
  states.find(({ up }) => up === false);
