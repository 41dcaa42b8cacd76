// A server that never sees a manager: a real agent that is ordered about by signed bundles.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Manifest } from '@sbox/protocol';
import { createAgentProcess, type AgentProcess, type AgentProcessOptions, type LocalStatus } from './agent-process.ts';
import type { BundleSigner, SignedUnit } from './bundle-signer.ts';

export interface BundledServerOptions extends AgentProcessOptions {
  readonly signer: BundleSigner;
  /** What the first bundle orders; committed when this resolves. */
  readonly units: readonly SignedUnit[];
}

export interface BundledServer extends AsyncDisposable {
  readonly agent: AgentProcess;
  /** Signs the next order and hands it over; answers its generation. */
  order(units: readonly SignedUnit[], manifest?: Partial<Manifest>): Promise<number>;
  untilCommitted(generation: number, timeoutMs?: number): Promise<LocalStatus>;
}

export async function startBundledServer({ signer, units, ...options }: BundledServerOptions): Promise<BundledServer> {
  await using starting = new AsyncDisposableStack();
  const agent = starting.use(createAgentProcess(options));
  const first = signer.sign(units);
  const file = path.join(options.dir, 'first.sbox');
  await writeFile(file, first.archive, { mode: 0o600 });
  const taken = await agent.command('import', file, '--pin', signer.pin);
  if (taken.code !== 0) throw new Error(taken.stderr);
  await agent.start();
  const untilCommitted: BundledServer['untilCommitted'] = async (generation, timeoutMs) =>
    await agent.until(
      `committed to generation ${generation}`,
      ({ phase, committed, nack }) => {
        if (nack?.generation === generation) throw new Error(`refused: ${nack.code}: ${nack.message}`);
        return phase === 'committed' && committed?.generation === generation;
      },
      timeoutMs,
    );
  await untilCommitted(first.generation);
  const running = starting.move();
  return {
    agent,
    async order(wanted, manifest) {
      const { generation, archive } = signer.sign(wanted, manifest);
      await agent.local.import({ body: archive });
      return generation;
    },
    untilCommitted,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}
