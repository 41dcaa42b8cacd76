// A reconciler that swaps for real: engines, nftables, and an end at any write.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import type { Reconciler, ReconcilerState } from '../src/order.ts';
import type { ReconcilerDeps } from '../src/reconciler.ts';
import { createRedirects } from '../src/reload/redirects.ts';
import { createDisk } from '../src/state/disk.ts';
import { directConfig, isCommitted, openStream, until, type OrderOptions, type Rig } from './reconciler-rig.ts';

export const nft = (...args: string[]): string => execFileSync('nft', args, { encoding: 'utf8' });
export const tables = (): string[] => nft('list', 'tables').split('\n').filter(Boolean);

/** Rules of ours that send connections elsewhere; a table without any stays as long as the unit runs. */
export const redirections = (): string[] =>
  nft('list', 'ruleset')
    .split('\n')
    .filter((line) => /redirect to|dnat/.test(line));

/** A reconciler that swaps by nftables, as the agent builds it. */
export async function openSwapping(rig: Rig, deps: Partial<ReconcilerDeps> = {}): Promise<Reconciler> {
  const mover = createRedirects({ spawn, clock: systemClock, log: silentLogger, stateDir: rig.directory });
  const agent = await rig.boot({
    machine: { mover },
    ...deps,
    settings: { drain_ms: 60_000, drain_every_ms: 50, ...deps.settings },
  });
  return agent;
}

/** Versions of a unit that differ in something that a running engine cannot be told. */
export const version = (rig: Rig, generation: number, more: Partial<OrderOptions> = {}): OrderOptions => ({
  generation,
  config: directConfig(rig.port, { log: { level: ['info', 'warn', 'error', 'debug'][generation % 4] } }),
  ...more,
});

export async function follow(
  rig: Rig,
  agent: Reconciler,
  options: OrderOptions,
): Promise<ReconcilerState['units'][number]> {
  agent.offer(rig.order(options));
  const { units } = await until(agent, (state) => isCommitted(options.generation)(state) || state.nack !== null);
  const [unit] = units;
  assert.equal(agent.state.nack, null);
  assert.ok(unit);
  return unit;
}

/** The machine ends at that write of the second version: what it would have done then is never done. */
export async function openKilledAt(rig: Rig, at: { readonly link?: RegExp; readonly append?: RegExp }) {
  const disk = createDisk();
  const died = Promise.withResolvers<void>();
  let isArmed = false;
  const dieAt = async (isHere: boolean): Promise<void> => {
    if (!isArmed || !isHere) return;
    died.resolve();
    await new Promise(() => {});
  };
  const agent = await openSwapping(rig, {
    disk: {
      ...disk,
      async link(target, file) {
        await dieAt(at.link?.test(file) === true);
        await disk.link(target, file);
      },
      async append(file, text) {
        await dieAt(at.append?.test(text) === true);
        await disk.append(file, text);
      },
    },
  });
  const first = await follow(rig, agent, version(rig, 1));
  const stream = await openStream(rig.port, rig.origin.url);
  isArmed = true;
  agent.offer(rig.order(version(rig, 2)));
  await died.promise;
  return { agent, first, stream };
}

/** Asks again until it is so. */
export async function untilTrueAsync(fits: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!(await fits())) {
    assert.ok(Date.now() < deadline);
    await systemClock.sleep(50);
  }
}
