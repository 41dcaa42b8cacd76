import { isoTime, type Clock } from '@sbox/core';
import type { MetaRepository } from '../../database/meta-repository.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { Freeze } from '../environments/freeze-windows.ts';
import { frozenEnvironments } from '../environments/frozen-servers.ts';

const prefix = 'held deployment ';

/** Versions that would be deployed by themselves and wait for the end of a freeze; they outlive the manager. */
export const held = {
  async hold(store: Store, configId: string, version: number, detail: string): Promise<void> {
    const key = `${prefix}${configId}`;
    await store.transaction(async (tx) => {
      if ((await tx.meta.get(key)) === String(version)) return;
      await tx.meta.set(key, String(version));
      await tx.events.add('deployment.held', { config_id: configId, version, detail });
    });
  },
  /** By config, with what `release` is to be told. */
  all: async (meta: MetaRepository): Promise<readonly (readonly [configId: string, mark: string])[]> =>
    [...(await meta.list(prefix))].map(([key, mark]) => [key.slice(prefix.length), mark]),
  release: async (meta: MetaRepository, configId: string, mark: string): Promise<void> =>
    await meta.remove(`${prefix}${configId}`, mark),
};

/** The freezes that are on for these servers, by environment. */
export const frozenAhead = async (
  repositories: Pick<Repositories, 'environments' | 'servers'>,
  clock: Clock,
  serverIds: readonly string[],
): Promise<ReadonlyMap<string, Freeze>> =>
  await frozenEnvironments(
    repositories,
    clock,
    serverIds.length === 0 ? [] : await repositories.servers.findMany(serverIds),
  );

/** What a deployment waits out; null for nothing. */
export function showHeld(freezes: ReadonlyMap<string, Freeze>) {
  const [first] = freezes.values();
  if (!first) return null;
  const ends = [...freezes.values()].map(({ untilMs }) => untilMs ?? Infinity);
  const endMs = Math.max(...ends);
  return {
    environments: [...freezes.keys()].toSorted(),
    reason: first.reason,
    until: endMs === Infinity ? null : isoTime(endMs),
  };
}
