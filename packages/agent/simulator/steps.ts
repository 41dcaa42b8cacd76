import { kinds, pickKind, type Kind } from './renditions.ts';
import type { Wanted } from './sim-manager.ts';
import { stateDir } from './state-dir.ts';
import type { World } from './world.ts';

/** Something that happens to a server. */
export interface Step {
  readonly name: string;
  readonly weight: number;
  readonly happen: (world: World) => void | Promise<void>;
}

const powerLosses = ['dropped', 'kept', 'torn'] as const;
const unitNames = ['edge', 'main'] as const;
const hold = `${stateDir}/hold`;

/** One unit nearly always, two now and then, none hardly ever. */
function pickWanted({ random }: World, kind = pickKind(random)): Wanted[] {
  if (random.chance(0.03)) return [];
  if (random.chance(0.8)) return [{ unit: 'edge', kind }];
  const more = random.chance(0.3) ? { depends_on: ['edge'] } : {};
  return unitNames.map((unit) => ({
    unit,
    kind: random.chance(0.5) ? kind : 'good',
    ...(unit === 'main' ? { more } : {}),
  }));
}

function publish(world: World, wanted: readonly Wanted[], again = false): void {
  const { random, manager } = world;
  const published = manager.publish(wanted, { again, ...(random.chance(0.15) ? { confirm_ms: 60_000 } : {}) });
  const { epoch, generation } = published.order.manifest;
  world.note(`published ${epoch}.${generation}: ${wanted.map(({ unit, kind }) => `${unit} ${kind}`).join(', ')}`);
  // The hint may be late, lost, or come several times; what a poll brings comes in any case.
  if (random.chance(0.8)) {
    const times = random.chance(0.1) ? random.int(2, 20) : 1;
    for (let time = 0; time < times; time += 1) world.later(random.int(0, 3000), () => world.deliver(published));
  }
}

function engineNow(world: World): World['processes']['engines'][number] | undefined {
  const { engines } = world.processes;
  return engines.length === 0 ? undefined : world.random.pick(engines);
}

export const steps: readonly Step[] = [
  { name: 'publish', weight: 20, happen: (world) => publish(world, pickWanted(world)) },
  { name: 'publish good', weight: 8, happen: (world) => publish(world, pickWanted(world, 'good')) },
  {
    name: 'publish again',
    weight: 5,
    happen: (world) => publish(world, pickWanted(world, world.random.pick(Object.keys(kinds) as Kind[])), true),
  },
  {
    name: 'replay',
    weight: 4,
    happen: (world) => {
      const { published } = world.manager;
      if (published.length > 0) world.deliver(world.random.pick(published));
    },
  },
  {
    name: 'a file of this machine',
    weight: 2,
    happen: (world) => world.deliver(world.manager.write([{ unit: 'edge', kind: pickKind(world.random) }])),
  },
  { name: 'epoch', weight: 1, happen: ({ manager }) => void (manager.epoch += 1) },
  { name: 'a moment', weight: 10, happen: async (world) => await world.pass(world.random.int(1, 400)) },
  { name: 'a while', weight: 12, happen: async (world) => await world.pass(world.random.int(400, 20_000)) },
  { name: 'long', weight: 3, happen: async (world) => await world.pass(world.random.int(20_000, 400_000)) },
  {
    name: 'agent ends at a step of the disk',
    weight: 8,
    happen: (world) => world.stopAt({ after: world.random.int(0, 60), what: 'agent' }),
  },
  {
    name: 'power ends at a step of the disk',
    weight: 6,
    happen: (world) => world.stopAt({ after: world.random.int(0, 60), what: world.random.pick(powerLosses) }),
  },
  { name: 'agent killed', weight: 5, happen: (world) => world.killAgent() },
  { name: 'agent restarted', weight: 3, happen: async (world) => await world.leaveAgent() },
  { name: 'power lost', weight: 3, happen: (world) => world.losePower(world.random.pick(powerLosses)) },
  {
    name: 'disk',
    weight: 6,
    happen: (world) => {
      const { random } = world;
      if (world.diskFault !== undefined || world.isDiskSlow) [world.diskFault, world.isDiskSlow] = [undefined, false];
      else if (random.chance(0.4)) world.isDiskSlow = true;
      else world.diskFault = { code: random.pick(['ENOSPC', 'EROFS', 'EIO']) };
      world.note(`disk: ${world.diskFault?.code ?? (world.isDiskSlow ? 'slow' : 'well')}`);
    },
  },
  {
    name: 'uplink',
    weight: 4,
    happen: ({ surroundings }) => void (surroundings.isUplinkDown = !surroundings.isUplinkDown),
  },
  { name: 'manager', weight: 3, happen: ({ manager }) => void (manager.isAway = !manager.isAway) },
  {
    name: 'transfer',
    weight: 5,
    happen: ({ manager, random }) => {
      manager.transfer = random.pick(['whole', 'whole', 'failing', 'cut', 'wrong', 'stuck']);
    },
  },
  {
    name: 'engine killed',
    weight: 5,
    happen: (world) => {
      const engine = engineNow(world);
      if (engine !== undefined) world.processes.end(engine, null, 'SIGKILL');
    },
  },
  {
    name: 'engine hangs',
    weight: 2,
    happen: (world) => {
      const engine = engineNow(world);
      if (engine !== undefined) engine.isHung = true;
    },
  },
  {
    name: 'number used again',
    weight: 3,
    happen: (world) => {
      const { processes, random } = world;
      const engine = engineNow(world);
      if (engine === undefined) return;
      processes.end(engine, null, 'SIGKILL');
      world.later(random.int(0, 50), () =>
        processes.reuse(engine.pid, ['/usr/bin/other', 'run', engine.args.at(-1) ?? '']),
      );
    },
  },
  {
    name: 'port',
    weight: 4,
    happen: ({ processes, random }) => {
      for (const port of [1080, 1081]) {
        if (random.chance(0.5)) processes.occupy(port);
        else processes.vacate(port);
      }
    },
  },
  { name: 'redirects', weight: 2, happen: ({ redirects }) => void (redirects.isBroken = !redirects.isBroken) },
  { name: 'rollback', weight: 4, happen: (world) => world.ask('rollback', async (agent) => await agent.rollback()) },
  { name: 'confirm', weight: 3, happen: (world) => world.ask('confirm', async (agent) => await agent.confirm()) },
  {
    name: 'hold',
    weight: 2,
    happen: ({ disk }) => (disk.peek(hold) === undefined ? disk.plant(hold, 'by hand') : disk.unplant(hold)),
  },
  {
    name: 'engine changed',
    weight: 2,
    happen: ({ surroundings, random }) => {
      surroundings.engineVersion = random.pick(['1.14.4', '1.14.4', '1.13.21', undefined]);
    },
  },
  {
    name: 'clock',
    weight: 2,
    happen: ({ time, random }) => void (time.skewMs = random.pick([0, 86_400_000, -86_400_000])),
  },
];

/** Everything that can be mended without the agent is well again. */
export function healAll(world: World): void {
  const { surroundings, manager, processes, redirects, disk, time } = world;
  world.note('everything is well again');
  [world.diskFault, world.isDiskSlow, world.isKeptUp] = [undefined, false, true];
  world.stopAt(undefined);
  surroundings.isUplinkDown = false;
  surroundings.engineVersion = '1.14.4';
  [manager.isAway, manager.transfer] = [false, 'whole'];
  for (const port of [1080, 1081]) processes.vacate(port);
  if (disk.peek(hold)?.toString() === 'by hand') disk.unplant(hold);
  redirects.isBroken = false;
  time.skewMs = 0;
}
