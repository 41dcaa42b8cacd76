import { spawn } from 'node:child_process';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { createEngineFinder, type Engine } from '../engines/find-engine.ts';
import { engineCandidates } from '../settings/engine-candidates.ts';
import type { Call } from './command.ts';

/** The engine that `run` would use; undefined when there is none. */
export async function findEngine(call: Call): Promise<Engine | undefined> {
  const settings = await call.settings();
  const { environment, programFile } = call.host;
  const candidates = engineCandidates({
    configured: settings.engine.sing_box,
    environment,
    programDir: path.dirname(programFile),
    stateDir: settings.state_dir,
  });
  return await createEngineFinder({ spawn, candidates })
    .find()
    .catch((error: unknown) => {
      if (error instanceof ProblemError) return undefined;
      throw error;
    });
}
