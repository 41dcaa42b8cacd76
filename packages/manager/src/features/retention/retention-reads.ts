import type { Repositories, Store } from '../../database/store.ts';
import type { Stored, Uses } from './retention-plan.ts';
import type { Owner } from './retention-repository.ts';

export type Kind = 'config' | 'subscription';
/** Does a small part of the work, then lets others have their turn. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;
/** Versions by config of which servers say that they run them. */
export type Running = ReadonlyMap<string, ReadonlySet<number>>;

export const rowsAtOnce = 250;
const keyframesAtOnce = 50;
const serversAtOnce = 50;
const ownersAtOnce = 100;

export async function* owners({ retention }: Pick<Repositories, 'retention'>, kind: Kind): AsyncGenerator<Owner> {
  for (let after = ''; ;) {
    const some = await (kind === 'config' ? retention.configs : retention.subscriptions)(after, ownersAtOnce);
    yield* some;
    const last = some.at(-1);
    if (!last || some.length < ownersAtOnce) return;
    after = last.name;
  }
}

export async function findOwner(tx: Repositories, kind: Kind, id: string): Promise<Owner | undefined> {
  if (kind === 'subscription') return (await tx.subscriptions.findMany([id]))[0];
  const config = await tx.configs.find(id);
  return config?.id === id ? { ...config, pinned_version: null } : undefined;
}

export async function readStored(
  { retention }: Pick<Repositories, 'retention'>,
  inTurn: InTurn,
  kind: Kind,
  owner: Owner,
): Promise<Stored[]> {
  const read = kind === 'config' ? retention.versions : retention.snapshots;
  const stored: Stored[] = [];
  for (let below = Number.MAX_SAFE_INTEGER; ;) {
    const from = below;
    const some = await inTurn(async () => await read(owner.id, from, rowsAtOnce));
    stored.push(...some);
    const last = some.at(-1);
    if (!last || some.length < rowsAtOnce) return stored;
    below = last.version;
  }
}

export async function usesOf(
  { retention }: Pick<Repositories, 'retention'>,
  kind: Kind,
  owner: Owner,
  { stored, running }: { readonly stored: readonly Stored[]; readonly running: Running },
): Promise<Uses> {
  const versions = stored.map(({ version }) => version);
  if (kind === 'subscription') return await retention.snapshotUses(owner, versions);
  const uses = new Map(await retention.versionUses(owner, versions));
  for (const version of running.get(owner.id) ?? []) if (!uses.has(version)) uses.set(version, 'server');
  return uses;
}

/**
 * A server runs what one of its last orders says; one that was away for longer says what it runs. It can only say
 * something else meanwhile that is in an order, and those are looked at again when something is removed.
 */
export async function findRunning({ retention }: Pick<Repositories, 'retention'>, inTurn: InTurn): Promise<Running> {
  const running = new Map<string, Set<number>>();
  const readSome = async (after: string): Promise<string | undefined> => {
    const some = await retention.runningDigests(after, serversAtOnce);
    for (const { config_id, version } of await retention.versionsOf(some?.digests ?? [])) {
      const versions = running.get(config_id) ?? new Set();
      running.set(config_id, versions.add(version));
    }
    return some?.after;
  };
  for (let after: string | undefined = ''; after !== undefined;) {
    const from: string = after;
    after = await inTurn(async () => await readSome(from));
  }
  return running;
}

export async function sweep(store: Store, inTurn: InTurn): Promise<void> {
  for (let after = 0; ;) {
    const from = after;
    const some = async () =>
      await store.transaction(async (tx) => await tx.retention.sweepKeyframes(from, keyframesAtOnce));
    ({ after } = await inTurn(some));
    if (after === 0) return;
  }
}
