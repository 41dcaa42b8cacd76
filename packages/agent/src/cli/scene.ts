import { spawn } from 'node:child_process';
import path from 'node:path';
import { createScene, type Scene, type SceneDeps } from '../doctor/scene.ts';
import { runCommand } from '../engines/run-command.ts';
import { createProc } from '../supervisor/proc.ts';
import type { Call } from './command.ts';
import { findEngine } from './find-engine.ts';
import { openLocalClient } from './local-client.ts';

const programTimeoutMs = 5000;
/** Where Debian keeps nft and systemctl; a shell of a plain user does not look there. */
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Looks at this machine for `doctor` and `rescue`; each call looks anew. */
export async function openScene(call: Call): Promise<() => Scene> {
  const { host } = call;
  const settings = await call.settings();
  const env = {
    PATH: host.environment['PATH'] ? `${host.environment['PATH']}:${systemPath}` : systemPath,
    LC_ALL: 'C',
  };
  const agent = await openLocalClient(call);
  const deps: SceneDeps = {
    settings,
    stateDir: path.resolve(settings.state_dir),
    clock: host.clock,
    uid: host.uid,
    proc: createProc(),
    run: async (program, args) => await runCommand(spawn, { program, args, env, timeoutMs: programTimeoutMs }),
    findEngine: async () => await findEngine(call),
    agent,
  };
  return () => createScene(deps);
}
