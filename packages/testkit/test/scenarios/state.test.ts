import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { startScenario, type Scenario } from './bundled.ts';

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

/** Returns as soon as the journal says so. */
async function untilStep({ stateDir }: Scenario, step: string, generation: number): Promise<void> {
  const file = path.join(stateDir, 'journal.ndjson');
  const deadline = performance.now() + 20_000;
  for (;;) {
    const lines = readFileSync(file, 'utf8').split('\n');
    if (lines.some((line) => line.includes(`"step":"${step}"`) && line.includes(`"generation":${generation},`))) return;
    if (performance.now() > deadline) throw new Error(`no ${step} of ${generation}`);
    await pause(1);
  }
}

const steps = ['INTENT', 'STAGED', 'SWITCHED', 'SERVING', 'HEALTHY'];

test('scenario 15: SIGKILL of the agent at every step of the journal: one whole version serves, the order is followed', async () => {
  await using scenario = await startScenario();
  const { agent, signer } = scenario;
  for (const step of [...steps, ...steps]) {
    const { generation, archive } = signer.sign([scenario.unit(signer.newest + 1)]);
    await agent.local.import({ body: archive });
    await untilStep(scenario, step, generation);
    await agent.kill();
    expect(await scenario.acceptedGeneration()).toBeGreaterThanOrEqual(generation - 1);
    await agent.start();
    const status = await agent.until('running', ({ units }) => ['running', 'watching'].includes(units[0]?.state ?? ''));
    expect([step, status.running?.generation]).toEqual([step, expect.any(Number)]);
    expect(status.running?.generation).toBeGreaterThanOrEqual(generation - 1);
    expect(await scenario.request()).toBe('origin-ok');
    const live = (await agent.local.processes()).items.filter(({ role }) => role === 'live');
    expect([step, live]).toEqual([step, [expect.anything()]]);
    // Content of a bundle that was not kept yet has to be brought once more.
    await agent.local.import({ body: archive }).catch(() => {});
    await scenario.untilCommitted(generation);
  }
  await agent.until('left by all but one engine', () => scenario.engines().length === 1);
}, 120_000);

const isRoot = process.getuid?.() === 0;
/** ./scripts/test prints by name what is left out. */
const testAsRoot = (name: string, body: () => Promise<void>, timeoutMs: number): void =>
  isRoot ? test(name, body, timeoutMs) : test.skip(`${name} (not here: it needs root)`, body, timeoutMs);

function mount(...words: string[]): void {
  execFileSync('mount', words, { stdio: 'pipe' });
}

/** Takes all that is left. */
function fill(file: string): void {
  const block = Buffer.alloc(64 * 1024);
  const descriptor = openSync(file, 'w');
  try {
    for (;;) writeSync(descriptor, block);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  } finally {
    closeSync(descriptor);
  }
}

testAsRoot(
  'scenario 17: a disk that is really full, twice: nothing that runs stops, and it heals by itself',
  async () => {
    await using scenario = await startScenario({
      settings: { APPLY_RETRY: '["300ms"]' },
      prepare: (dir) => {
        const stateDir = dir.file('state');
        mount('-t', 'tmpfs', '-o', 'size=16m,mode=0700', 'tmpfs', stateDir);
        return () => void execFileSync('umount', ['--lazy', stateDir]);
      },
    });
    const { agent, stateDir } = scenario;
    for (let version = 2; version <= 3; version += 1) {
      const pid = await agent.enginePid();
      using stream = await scenario.stream();
      const filler = path.join(stateDir, 'filler');
      fill(filler);
      const generation = await scenario.order([scenario.unit(version)]);
      const refused = await agent.until('refusing', ({ nack }) => nack?.generation === generation);
      expect(refused.nack).toMatchObject({
        code: 'disk.full',
        sticky: false,
        message: expect.stringContaining('ENOSPC'),
      });
      expect(refused.conditions).toContainEqual(expect.objectContaining({ type: 'DiskPressure', status: 'true' }));
      expect(refused.units[0]).toMatchObject({ pid, state: 'running' });
      expect(await scenario.request()).toBe('origin-ok');
      await stream.nextBytes();
      rmSync(filler);
      const status = await agent.until(
        'on what was refused',
        ({ phase, committed }) => phase === 'committed' && committed?.generation === generation,
      );
      expect(status.nack).toBeNull();
      expect(status.conditions).not.toContainEqual(expect.objectContaining({ type: 'DiskPressure', status: 'true' }));
    }
    expect(await scenario.request()).toBe('origin-ok');
  },
  90_000,
);
