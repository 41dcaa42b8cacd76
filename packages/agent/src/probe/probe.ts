import { isoTime, messageOf, type Clock } from '@sbox/core';
import type { Probe as ProbeTargets } from '@sbox/protocol';
import { getOnce, type ProbeWay } from './request.ts';

export type { ProbeWay } from './request.ts';

export interface ProbeResult {
  readonly ok: boolean;
  /** Of the fastest good answer. */
  readonly ms: number | null;
  /** What answered, or why nothing did. */
  readonly detail: string;
  readonly at: string;
}

/** Sends a request to every target at once; good as soon as `need` of them answer with an expected status in time. */
export type RunProbe = (way: ProbeWay, targets: ProbeTargets, signal?: AbortSignal) => Promise<ProbeResult>;

export const createProbe =
  (clock: Clock): RunProbe =>
  async (way, { urls, expect, need, timeout_ms }, signal) => {
    const wanted = Math.min(need, urls.length);
    // A target that is blocked here must not hold up what the others have proved.
    const proved = new AbortController();
    const limit = AbortSignal.any([
      AbortSignal.timeout(timeout_ms),
      proved.signal,
      ...(signal === undefined ? [] : [signal]),
    ]);
    let missing = wanted;
    const answers = await Promise.all(
      urls.map(async (url) => {
        const answer = await ask(way, url, { clock, expect, limit, timeout_ms });
        if (answer.ok && (missing -= 1) === 0) proved.abort();
        return answer;
      }),
    );
    const good = answers.filter(({ ok }) => ok);
    const fastest = Math.min(...good.map(({ ms }) => ms));
    const ok = good.length >= wanted;
    const shown = ok ? good : answers.filter((answer) => !answer.ok);
    return {
      ok,
      ms: Number.isFinite(fastest) ? Math.round(fastest) : null,
      detail: shown
        .map(({ detail }) => detail)
        .join('; ')
        .slice(0, 500),
      at: isoTime(clock.now()),
    };
  };

interface Asking {
  readonly clock: Clock;
  readonly expect: readonly number[];
  readonly limit: AbortSignal;
  readonly timeout_ms: number;
}

interface Answer {
  readonly ok: boolean;
  readonly ms: number;
  readonly detail: string;
}

async function ask(way: ProbeWay, url: string, { clock, expect, limit, timeout_ms }: Asking): Promise<Answer> {
  const startedAt = clock.monotonic();
  const passed = (): number => clock.monotonic() - startedAt;
  const { host } = URL.canParse(url) ? new URL(url) : { host: url };
  try {
    const { status } = await getOnce(way, new URL(url), { maxBodyBytes: 0, signal: limit });
    return { ok: expect.includes(status), ms: passed(), detail: `${host} answered ${status}` };
  } catch (error) {
    const why = limit.aborted ? `no answer in ${timeout_ms} ms` : messageOf(error);
    return { ok: false, ms: passed(), detail: `${host}: ${why}` };
  }
}
