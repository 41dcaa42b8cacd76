// The agent as it is shipped: one bundled file, with the memory settings of its systemd unit.
import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AgentProgram } from './agent-process.ts';
import { startProcess } from './processes.ts';

const root = path.join(import.meta.dirname, '../../..');
const unitFile = path.join(root, 'deploy/systemd/sboxagent.service');
const buildMs = 120_000;

/** Builds it and takes a copy into `dir`, so that the next build does not change it under a running agent. */
export async function buildAgent(dir: string, bundle = ''): Promise<AgentProgram> {
  const file = path.join(dir, 'sboxagent.cjs');
  if (bundle === '') await build();
  await copyFile(bundle === '' ? path.join(root, 'dist/sboxagent/main.cjs') : bundle, file);
  return { file, environment: await readUnitEnvironment() };
}

async function build(): Promise<void> {
  await using running = await startProcess({
    command: process.execPath,
    args: [path.join(root, 'scripts/build.ts')],
    signal: AbortSignal.timeout(buildMs),
  });
  const { code } = await running.exited;
  if (code !== 0) throw new Error(`the build ended with ${code}\n${running.output()}`);
}

/** What the agent's systemd unit puts into its environment: `Environment=A=1 B=2` and `Environment="A=1 2"`, systemd.exec(5). */
export async function readUnitEnvironment(): Promise<Record<string, string>> {
  const unit = await readFile(unitFile, 'utf8');
  const assignments = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line = '']) =>
    [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''),
  );
  return Object.fromEntries(assignments.map((text) => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]));
}
