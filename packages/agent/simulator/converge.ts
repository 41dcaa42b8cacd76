import { compareGenerations } from '@sbox/core';
import type { ReconcilerState } from '../src/order.ts';
import { unitOf } from './invariants.ts';
import { renditionPorts, type Published, type Wanted } from './sim-manager.ts';
import { isTrial } from './sim-processes.ts';
import type { World } from './world.ts';

const [limitMs, lookEveryMs] = [90 * 60_000, 10_000];
/** When all is decided, nothing may go on changing. */
const [quietMs, restartMs] = [90_000, 40_000];
/** A version that could not be tried waits so long before it is committed. */
const confirmMs = 150_000;
/** Then also the last connection of an engine that was replaced is over. */
const drainMs = 12 * 60_000;

/** I8: without faults the agent comes to what is wanted, or says for good why not; and nothing else is left. */
export async function lookAtEnd(world: World): Promise<void> {
  const { random, manager } = world;
  // Half of the time something good comes afterwards: whatever happened before must not stand in its way.
  if (manager.newest === undefined || random.chance(0.5)) {
    const wanted: Wanted[] = [{ unit: 'edge', kind: 'good' }];
    manager.publish(wanted);
    world.deliver();
  }
  const wanted = manager.newest;
  if (wanted === undefined) return;
  let why = await untilWell(world, wanted, limitMs);
  if (why !== '') return world.invariants.fail('I8', `${why}: ${describe(world.agent?.state)}`);
  await world.pass(quietMs);
  // What is not good may be tried again now and then; what was held back may be followed now.
  if (wanted.isGood) why = await untilWell(world, wanted, confirmMs);
  if (why !== '') world.invariants.fail('I8', `it did not stay: ${why}: ${describe(world.agent?.state)}`);
  const isDraining = (): boolean => world.processes.engines.length > (world.agent?.state.units.length ?? 0);
  for (let drained = 0; drained < drainMs && isDraining(); drained += 60_000) await world.pass(60_000);
  // What is not good may be on trial just now.
  if (wanted.isGood) lookForLeftovers(world);
  await lookAfterRestart(world, wanted);
}

/** @returns why it is not, when the time is over */
async function untilWell(world: World, wanted: Published, ms: number): Promise<string> {
  const deadline = world.time.elapsedMs + ms;
  for (;;) {
    const { agent, isAgentUp } = world;
    const why = agent === undefined || !isAgentUp ? 'the agent is not there' : whyNot(world, agent.state, wanted);
    if (why === '' || world.time.elapsedMs >= deadline || world.invariants.violations.length > 0) return why;
    await world.pass(lookEveryMs);
  }
}

/** An agent that starts again finds its engines and leaves them alone. */
async function lookAfterRestart(world: World, wanted: Published): Promise<void> {
  const { invariants, processes } = world;
  const served = (): string => processes.engines.map(({ pid, turn }) => `${pid}.${turn}`).join(' ');
  const before = served();
  const running = world.agent?.state.running ?? null;
  const isWanted = wanted.isGood && running !== null && compareGenerations(running, wanted.order.manifest) === 0;
  world.killAgent();
  await world.pass(restartMs);
  const why = world.agent === undefined ? 'the agent is not there' : whyNot(world, world.agent.state, wanted);
  // What is not good is tried once more.
  if (why !== '' && wanted.isGood)
    invariants.fail('I8', `after another start: ${why}: ${describe(world.agent?.state)}`);
  if (isWanted && served() !== before) invariants.fail('I8', `another start touched what ran`);
  const asides = world.disk.list().filter((file) => /^(?!.*\/slots\/).*\.tmp$/.test(file));
  if (asides.length > 0) invariants.fail('I8', `files are left over: ${asides.slice(0, 5).join(', ')}`);
}

/** Empty when all is as it should be. */
function whyNot(world: World, state: ReconcilerState, { order, isGood, wanted }: Published): string {
  const { manifest } = order;
  const isWanted = state.running !== null && compareGenerations(state.running, manifest) === 0;
  if (state.disk_problem !== null) return 'the disk is said to be broken';
  if (isWanted && state.committed !== null && compareGenerations(state.committed, manifest) === 0) {
    if (wanted.length > 0 && state.phase !== 'committed' && isGood) return `committed, and yet ${state.phase}`;
    return isGood
      ? runsAll(
          world,
          state,
          wanted.map(({ unit }) => unit),
        )
      : '';
  }
  const isHeldBack = state.phase === 'held' && state.held?.startsWith('rolled back by hand') === true;
  if (isHeldBack)
    return runsAll(
      world,
      state,
      state.units.map(({ name }) => name),
    );
  const { nack } = state;
  // It was shown once and nobody spoke for it: it waits for somebody.
  const isUnconfirmed = nack?.code === 'apply.unconfirmed' && compareGenerations(nack, manifest) === 0;
  if (isUnconfirmed) return '';
  if (isGood) return 'what is wanted is good and does not run';
  if (nack === null || compareGenerations(nack, manifest) !== 0) return 'what is wanted neither runs nor is refused';
  return '';
}

/** Each unit has one engine that gets the connections; others of it drain, and are known to. */
function runsAll({ processes, redirects }: World, { units }: ReconcilerState, names: readonly string[]): string {
  for (const name of names) {
    const status = units.find((unit) => unit.name === name);
    const serving = processes.engines.find(({ pid }) => pid === status?.pid);
    if (serving?.instance?.upAtMs === undefined || serving.isHung) return `${name} does not serve`;
    const draining = new Set(status?.draining?.map(({ pid }) => pid));
    const others = processes.engines.filter((process) => process !== serving && unitOf(process) === name);
    if (others.some(({ pid }) => !draining.has(pid))) return `${name} has an engine that nobody knows of`;
    const port = renditionPorts[name] ?? 0;
    if (processes.holderOf(redirects.resolve(port)) !== serving)
      return `connections do not go to the engine of ${name}`;
  }
  return '';
}

function lookForLeftovers(world: World): void {
  const { processes, agent, disk, invariants } = world;
  const units = new Set(agent?.state.units.map(({ name }) => name));
  for (const process of processes.engines) {
    const unit = unitOf(process);
    if (isTrial(process)) invariants.fail('I3', 'an engine of a trial is left over');
    else if (unit !== undefined && !units.has(unit)) invariants.fail('I3', `an engine of ${unit} is left over`);
    else if (
      agent?.state.units.some(({ name, pid }) => name === unit && pid !== null && pid !== process.pid) === true
    ) {
      invariants.fail('I3', `an engine of ${unit} drains for ever`);
    }
  }
  const trials = world.hadDiskFault ? [] : disk.list().filter((file) => file.includes('/trials/'));
  if (trials.length > 0) invariants.fail('I8', `files of a trial are left over: ${trials.slice(0, 5).join(', ')}`);
}

const describe = (state: ReconcilerState | undefined): string =>
  state === undefined
    ? 'no state'
    : JSON.stringify({ ...state, units: state.units.map(({ name, state: own, message }) => [name, own, message]) });
