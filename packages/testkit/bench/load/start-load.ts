import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { LoadMessage, LoadOptions, LoadReport } from './messages.ts';

type Of<K extends LoadMessage['kind']> = Extract<LoadMessage, { kind: K }>;

/** Traffic through a proxy, made by another process, with the origin that it asks. */
export interface Load extends AsyncDisposable {
  readonly pid: number;
  readonly origin: { readonly url: string; readonly probeUrl: string; readonly port: number };
  readonly lost: readonly Of<'lost'>[];
  readonly cut: readonly Of<'cut'>[];
  /** The last count, at most a second old. */
  readonly count: Of<'count'>;
  /** Begins; resolves when all streams are open. */
  run(): Promise<void>;
  /** No new requests; resolves when the last one is answered or lost. */
  end(): Promise<LoadReport>;
}

const program = path.join(import.meta.dirname, 'load-worker.ts');
const startMs = 20_000;
const endMs = 30_000;

export async function startLoad(options: LoadOptions): Promise<Load> {
  const child = fork(program, [JSON.stringify(options)], { execArgv: ['--disable-warning=ExperimentalWarning'] });
  const exited = once(child, 'exit');
  const lost: Of<'lost'>[] = [];
  const cut: Of<'cut'>[] = [];
  let count: Of<'count'> = { kind: 'count', requests: 0, answered: 0, openStreams: 0 };
  const waiting = new Map<LoadMessage['kind'], (message: LoadMessage) => void>();
  child.on('message', (message: LoadMessage) => {
    if (message.kind === 'lost') lost.push(message);
    else if (message.kind === 'cut') cut.push(message);
    else if (message.kind === 'count') count = message;
    waiting.get(message.kind)?.(message);
  });
  const next = async <K extends LoadMessage['kind']>(kind: K, timeoutMs: number): Promise<Of<K>> => {
    const { promise, resolve, reject } = Promise.withResolvers<Of<K>>();
    waiting.set(kind, (message) => resolve(message as Of<K>));
    const timer = setTimeout(() => reject(new Error(`the load did not say "${kind}" in ${timeoutMs} ms`)), timeoutMs);
    void exited.then(([code]) => reject(new Error(`the load ended with ${String(code)}`)));
    return await promise.finally(() => clearTimeout(timer));
  };
  const ready = next('ready', startMs);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const { originPort } = await ready.catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const base = `http://127.0.0.1:${originPort}`;
  return {
    pid: child.pid ?? 0,
    origin: { url: `${base}/`, probeUrl: `${base}/generate_204`, port: originPort },
    lost,
    cut,
    get count() {
      return count;
    },
    async run() {
      const running = next('running', startMs);
      child.send('run');
      await running;
    },
    async end() {
      const report = next('report', endMs);
      child.kill('SIGTERM');
      return await report;
    },
    [Symbol.asyncDispose]: stop,
  };
}
