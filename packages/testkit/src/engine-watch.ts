import type { AgentProcess } from './agent-process.ts';
import type { ProxiedStream } from './through-proxy.ts';

/** Proves that nobody touched an engine: it is the same process, and a connection through it goes on. */
export interface EngineWatch extends Disposable {
  readonly pid: number;
  readonly stream: ProxiedStream;
  /** Throws what is different. */
  assertUntouched(): Promise<void>;
}

export async function watchEngine({
  agent,
  stream: open,
}: {
  readonly agent: AgentProcess;
  readonly stream: () => Promise<ProxiedStream>;
}): Promise<EngineWatch> {
  const pid = await agent.enginePid();
  if (pid === undefined) throw new Error('no engine runs');
  const stream = await open();
  await stream.nextBytes();
  return {
    pid,
    stream,
    async assertUntouched() {
      const now = await agent.enginePid();
      if (now !== pid) throw new Error(`the engine was ${pid} and is ${now ?? 'gone'}`);
      await stream.nextBytes();
    },
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}
