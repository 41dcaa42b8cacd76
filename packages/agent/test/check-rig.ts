import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import type { Check, Finding } from '../src/doctor/check.ts';
import type { Scene } from '../src/doctor/scene.ts';
import { join } from '../src/identity/join.ts';
import type { ManagerDouble } from './manager-double.ts';
import type { StateDouble } from './state-double.ts';

export async function look(check: Check, scene: Scene): Promise<readonly Finding[]> {
  return [await check.look(scene, AbortSignal.timeout(30_000))].flat();
}

/** What is not ok, as `verdict: detail`. */
export const trouble = async (check: Check, scene: Scene): Promise<string[]> =>
  (await look(check, scene))
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ verdict, detail }) => `${verdict}: ${detail}`);

/** As `sboxagent join` leaves it. */
export async function joined(state: StateDouble, manager: ManagerDouble): Promise<void> {
  const tokenFile = path.join(state.directory, 'token');
  await writeFile(tokenFile, manager.joinToken());
  const { url } = manager;
  await join({
    url,
    tokenFile,
    name: 'edge',
    stateDir: state.directory,
    engines: [],
    clock: systemClock,
    log: silentLogger,
  });
}
