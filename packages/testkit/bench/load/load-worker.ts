// A process of its own that asks for things through a proxy and that answers them as the origin behind it, so that
// neither the agent nor whoever measures holds it up. Told to end by SIGTERM or by the end of its parent.
import { setTimeout as sleep } from 'node:timers/promises';
import { startOrigin, type Origin } from '../../src/origin.ts';
import { openStreamThrough, requestThrough } from '../../src/through-proxy.ts';
import { longestGap, type LoadMessage, type LoadOptions, type Outcome } from './messages.ts';

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const ending = new AbortController();
const tell = (message: LoadMessage): void => void process.send?.(message);
const reopenMs = 50;
const tickMs = 2;

const outcomes: Outcome[] = [];
let answered = 0;
let openStreams = 0;
let streamsCut = 0;

async function request(url: string, dueMs: number): Promise<void> {
  const leftMs = Math.max(1, Math.ceil(options.lostAfterMs - (performance.now() - dueMs)));
  try {
    const { status, body } = await requestThrough({ proxyPort: options.proxyPort, url, timeoutMs: leftMs });
    if (status !== 200 || body !== 'origin-ok') throw new Error(`answered ${status} ${body.slice(0, 40)}`);
    outcomes.push({ dueMs, answeredMs: performance.now() });
    answered += 1;
  } catch (error) {
    outcomes.push({ dueMs, answeredMs: undefined });
    tell({ kind: 'lost', at: performance.timeOrigin + dueMs, ms: performance.now() - dueMs, why: String(error) });
  }
}

/** An open loop: each request is begun when it is due, and a late one is due no later. */
async function requests(url: string): Promise<void> {
  const everyMs = 1000 / options.requestsPerSecond;
  const running = new Set<Promise<void>>();
  for (let dueMs = performance.now(); !ending.signal.aborted; dueMs += everyMs) {
    while (performance.now() < dueMs && !ending.signal.aborted)
      await sleep(Math.max(tickMs, dueMs - performance.now()));
    if (ending.signal.aborted) break;
    const one: Promise<void> = request(url, dueMs).finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
}

async function keepStream(url: string): Promise<void> {
  while (!ending.signal.aborted) {
    const opened = await openStreamThrough({ proxyPort: options.proxyPort, url, timeoutMs: options.lostAfterMs }).catch(
      () => undefined,
    );
    if (opened !== undefined) {
      using stream = opened;
      const openedMs = performance.now();
      openStreams += 1;
      const why = await Promise.race([stream.closed, untilEnding]);
      openStreams -= 1;
      if (why === undefined) return;
      streamsCut += 1;
      tell({ kind: 'cut', at: Date.now(), openMs: performance.now() - openedMs, why });
    }
    await sleep(reopenMs);
  }
}

const untilEnding = new Promise<undefined>((resolve) => {
  ending.signal.addEventListener('abort', () => resolve(undefined), { once: true });
});

function report(): LoadMessage {
  const tookMs = outcomes
    .flatMap(({ dueMs, answeredMs }) => (answeredMs === undefined ? [] : [answeredMs - dueMs]))
    .toSorted((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.max(0, Math.ceil(share * tookMs.length) - 1)] ?? Number.NaN;
  return {
    kind: 'report',
    requests: outcomes.length,
    lost: outcomes.length - answered,
    streamsCut,
    gapMs: longestGap(outcomes),
    latencyMs: { median: at(0.5), p99: at(0.99), max: at(1) },
  };
}

async function run(origin: Origin): Promise<void> {
  tell({ kind: 'ready', originPort: origin.port });
  // Whoever started us says when the proxy is there.
  await Promise.race([new Promise((resolve) => process.once('message', resolve)), untilEnding]);
  const streams = Array.from({ length: options.streams }, async () => await keepStream(origin.streamUrl));
  while (openStreams < options.streams && !ending.signal.aborted) await sleep(tickMs);
  tell({ kind: 'running' });
  const counting = setInterval(() => {
    tell({ kind: 'count', requests: outcomes.length, answered, openStreams });
  }, 1000);
  await requests(origin.url);
  clearInterval(counting);
  await Promise.all(streams);
  tell(report());
}

process.once('SIGTERM', () => ending.abort());
process.once('disconnect', () => process.exit(1));
{
  await using origin = await startOrigin();
  await run(origin);
}
process.disconnect();
