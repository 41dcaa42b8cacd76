// What the soak does to a fleet, one thing after another, and which of it may cost requests.
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../../src/fleet.ts';
import type { Load } from '../load/start-load.ts';
import type { Random } from '../../src/random.ts';
import { cutPort } from '../network/cut-port.ts';

export interface SoakWorld {
  readonly fleet: Fleet;
  readonly load: Load;
  readonly random: Random;
  /** Grows with each publish, so that each is another config. */
  turn: number;
  /** The state directory is small and can be filled. */
  readonly canFill: boolean;
  /** New connections come in through the agent itself. */
  readonly isFront: boolean;
}

export interface Fault {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly weight: number;
  /** Requests that are due while it lasts, and so long afterwards, may be lost; without it none may be. */
  readonly mayLoseAfterMs?: number;
  /** The agent's memory begins anew; where it is the front, nothing comes in meanwhile. */
  readonly endsAgent?: boolean;
  act(world: SoakWorld): Promise<void>;
}

const between = (random: Random, from: number, to: number): number => from + random() * (to - from);

async function refresh({ fleet }: SoakWorld): Promise<void> {
  await fleet.manager.client.subscriptions.refresh({ params: { id: 'provider' } });
}

/** The same nodes under other names: another config, and a reload. */
async function publish(world: SoakWorld): Promise<void> {
  const { fleet } = world;
  world.turn += 1;
  fleet.provider.setBody({ body: fleet.provider.nodes.map(({ link }) => `${link}%20v${world.turn}`).join('\n') });
  await refresh(world);
}

/** Most refreshes of a subscription; nothing may be touched. */
const publishNothing = refresh;

/** A new generation of what runs already. */
async function deployAgain({ fleet: { manager, configId, serverId } }: SoakWorld): Promise<void> {
  await manager.client.configs.deploy({ params: { id: configId }, body: { servers: [serverId] } });
}

/** Nodes that answer nobody: refused by the trial; then the good ones again. */
async function publishBad(world: SoakWorld): Promise<void> {
  const { fleet, random } = world;
  fleet.provider.setBody('wrong-secrets');
  await refresh(world);
  await sleep(between(random, 500, 4000));
  await publish(world);
}

/** Several in a row, each overtaking the one before. */
async function publishOften(world: SoakWorld): Promise<void> {
  for (let count = 0; count < 4; count += 1) {
    await publish(world);
    await sleep(between(world.random, 0, 600));
  }
}

async function killAgent({ fleet, random }: SoakWorld): Promise<void> {
  await fleet.agent.kill();
  await sleep(between(random, 0, 3000));
  await fleet.agent.start();
}

async function killManager({ fleet, random }: SoakWorld): Promise<void> {
  await fleet.manager.kill();
  await sleep(between(random, 0, 3000));
  await fleet.manager.restart();
}

async function killEngine({ fleet }: SoakWorld): Promise<void> {
  const status = await fleet.agent.local.status();
  const pid = status.units[0]?.pid;
  if (typeof pid === 'number') process.kill(pid, 'SIGKILL');
  await Promise.resolve();
}

/** In the middle of whatever a publish is doing. */
const during =
  (kill: (world: SoakWorld) => Promise<void>) =>
  async (world: SoakWorld): Promise<void> => {
    await publish(world);
    await sleep(between(world.random, 0, 900));
    await kill(world);
  };

async function cut({ random }: SoakWorld, port: number, longestMs: number): Promise<void> {
  using _cut = cutPort(port);
  await sleep(between(random, 1000, longestMs));
}

const managerPort = ({ fleet }: SoakWorld): number => Number(new URL(fleet.manager.url).port);

/** A publish that finds no room, and finds it later. */
async function fillDisk(world: SoakWorld): Promise<void> {
  if (!world.canFill) return;
  const file = path.join(world.fleet.dir.file('agent/state'), 'filler');
  const descriptor = openSync(file, 'w');
  const block = Buffer.alloc(64 * 1024);
  try {
    for (;;) writeSync(descriptor, block);
  } catch {
    // It is full.
  } finally {
    closeSync(descriptor);
  }
  await publish(world);
  await sleep(between(world.random, 500, 4000));
  rmSync(file);
}

/** Until an engine that was killed is back: found, waited for by the pace of the policy, started, taken over. */
const engineBackMs = 8000;
/** An agent that is the front is back when its process is. */
const agentBackMs = 5000;
/** Those that waited for an answer when it began. */
const answerMs = 5500;

const faults: readonly Fault[] = [
  { name: 'publish', weight: 8, act: publish },
  { name: 'publish-nothing', weight: 2, act: publishNothing },
  { name: 'deploy-again', weight: 1, act: deployAgain },
  { name: 'publish-bad', weight: 3, act: publishBad },
  { name: 'publish-often', weight: 2, act: publishOften },
  { name: 'kill-agent', weight: 1, endsAgent: true, act: killAgent },
  { name: 'kill-manager', weight: 2, act: killManager },
  { name: 'kill-engine', weight: 1, mayLoseAfterMs: engineBackMs, act: killEngine },
  { name: 'kill-agent-during-publish', weight: 1, endsAgent: true, act: during(killAgent) },
  { name: 'kill-manager-during-publish', weight: 2, act: during(killManager) },
  { name: 'kill-engine-during-publish', weight: 1, mayLoseAfterMs: engineBackMs, act: during(killEngine) },
  { name: 'cut-manager', weight: 2, act: async (world) => await cut(world, managerPort(world), 12_000) },
  {
    name: 'cut-traffic',
    weight: 1,
    mayLoseAfterMs: answerMs,
    act: async (world) => await cut(world, world.load.origin.port, 4000),
  },
  // What probes ask for; traffic goes elsewhere and must not suffer.
  { name: 'cut-probe-target', weight: 2, act: async (world) => await cut(world, world.fleet.origin.port, 8000) },
  { name: 'disk-full', weight: 1, act: fillDisk },
];

/** How long after it requests may be lost; undefined when none may be. */
export const mayLoseAfterMs = ({ isFront }: SoakWorld, { mayLoseAfterMs: ms, endsAgent = false }: Fault) =>
  ms ?? (isFront && endsAgent ? agentBackMs : undefined);

export function chooseFault(random: Random, mayEndAgent: boolean): Fault {
  const possible = faults.filter(({ endsAgent = false }) => mayEndAgent || !endsAgent);
  let left = random() * possible.reduce((sum, { weight }) => sum + weight, 0);
  return possible.find(({ weight }) => (left -= weight) < 0) ?? (possible[0] as Fault);
}
