import { setImmediate } from 'node:timers/promises';
import { isoTime, type Clock } from '@sbox/core';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { decide, type Decision, type KeptReason, type RetentionRules, type Stored } from './retention-plan.ts';
import {
  findOwner,
  findRunning,
  owners,
  readStored,
  rowsAtOnce,
  sweep,
  usesOf,
  type InTurn,
  type Kind,
  type Running,
} from './retention-reads.ts';
import type { Owner } from './retention-repository.ts';

export interface RetentionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly queue: KeyedQueue;
  readonly rules: RetentionRules;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
}

export interface Removed {
  readonly versions: number;
  readonly drafts: number;
  readonly snapshots: number;
}

export type RetentionService = ReturnType<typeof createRetentionService>;

/** A version has about ten rows. Everybody who asks meanwhile waits for the transaction that removes some. */
const versionsAtOnce = 5;
/** Others have the rest of the time. */
const restPerWork = 4;
const longestRestMs = 200;
/** Of one question of a person; what is left goes with the next, or by itself. */
const removedAtOnce = 1000;
const shownNumbers = 1000;

/** Removes what is old and needed by nobody. */
export function createRetentionService(deps: RetentionDeps) {
  const { store, queue } = deps;
  const { inTurn, decideAll, removeAll } = workOf(deps);
  return {
    /** What would go, and why the rest stays: configs by name, then subscriptions. */
    async show(query: PageQuery) {
      const page = readPage(query, 2);
      const [kind, after] = (page.after ?? ['config', '']) as [Kind, string];
      const found: { kind: Kind; owner: Owner }[] = [];
      if (kind === 'config')
        for (const owner of await store.retention.configs(after, page.limit + 1)) found.push({ kind, owner });
      const from = kind === 'config' ? '' : after;
      for (const owner of await store.retention.subscriptions(from, page.limit + 1 - found.length))
        found.push({ kind: 'subscription', owner });
      const { items, next_cursor } = toPage(found, page.limit, (row) => [row.kind, row.owner.name]);
      const running = await findRunning(store, inTurn);
      const shown = [];
      for (const { kind: its, owner } of items)
        shown.push({ kind: its, id: owner.id, name: owner.name, ...view(await decideAll(its, owner, running)) });
      return { items: shown, next_cursor };
    },
    /** At most a thousand, so that somebody can wait for it; not for what runs by itself, which may have more to do. */
    async run() {
      return await queue.run('retention of a person', async () => {
        const removed = await removeAll(removedAtOnce);
        // A call of a person is on record also when there was nothing to do.
        if (removed.versions + removed.drafts + removed.snapshots === 0)
          await store.events.add('retention.removed', { of: '', name: '', versions: 0, drafts: 0, snapshots: 0 });
        return removed;
      });
    },
    tick: async (): Promise<void> => void (await queue.run('retention', async () => await removeAll(Infinity))),
  };
}

/** The parts of the work, each short. */
function workOf({ store, clock, queue, rules, stopping }: RetentionDeps) {
  /** Does a small part, then leaves the database to others for longer than that took. */
  const inTurn: InTurn = async (work) => {
    stopping.throwIfAborted();
    const beganMs = clock.monotonic();
    const result = await work();
    const restMs = Math.min(longestRestMs, restPerWork * (clock.monotonic() - beganMs));
    await (restMs > 0 ? clock.sleep(restMs, stopping) : setImmediate());
    return result;
  };
  const decideAll = async (kind: Kind, owner: Owner, running: Running): Promise<Decision> => {
    const stored = await readStored(store, inTurn, kind, owner);
    const uses = new Map<number, KeptReason>();
    for (let start = 0; start < stored.length; start += rowsAtOnce) {
      const some = stored.slice(start, start + rowsAtOnce);
      for (const [version, reason] of await inTurn(
        async () => await usesOf(store, kind, owner, { stored: some, running }),
      ))
        uses.set(version, reason);
    }
    return decide(stored, uses, ruleOf(rules, kind), clock.now());
  };

  const removeSome = async (kind: Kind, { id }: Owner, some: readonly Stored[], running: Running): Promise<Removed> =>
    await queue.run(
      `${kind} ${id}`,
      async () =>
        await store.transaction(
          async (tx) => await removeIn(tx, { kind, id, some, running, now: isoTime(clock.now()) }),
        ),
    );

  const removeAll = async (most: number): Promise<Removed & { readonly left: number }> => {
    const running = await findRunning(store, inTurn);
    let removed = nothing;
    let left = 0;
    // Versions first: what they were made from may go with them.
    for (const kind of ['config', 'subscription'] as const)
      for await (const owner of owners(store, kind)) {
        const { removed: going } = await decideAll(kind, owner, running);
        const room = Math.max(0, most - removed.versions - removed.drafts - removed.snapshots);
        left += Math.max(0, going.length - room);
        for (let start = 0; start < Math.min(going.length, room); start += versionsAtOnce) {
          const some = going.slice(start, Math.min(start + versionsAtOnce, room));
          removed = sum(removed, await inTurn(async () => await removeSome(kind, owner, some, running)));
        }
      }
    await sweep(store, inTurn);
    return { ...removed, left };
  };

  return { inTurn, decideAll, removeAll };
}

interface Batch {
  readonly kind: Kind;
  readonly id: string;
  readonly some: readonly Stored[];
  readonly running: Running;
  readonly now: string;
}

/** Judges once more, where nothing can change meanwhile, and removes. */
async function removeIn(tx: Repositories, { kind, id, some, running, now }: Batch): Promise<Removed> {
  const owner = await findOwner(tx, kind, id);
  if (!owner) return nothing;
  const uses = await usesOf(tx, kind, owner, { stored: some, running });
  const same = kind === 'config' ? await tx.retention.sameVersions(id, some) : some;
  const gone = same.filter(({ version }) => !uses.has(version));
  if (gone.length === 0) return nothing;
  const removal = { id, versions: gone.map(({ version }) => version), now };
  await (kind === 'config' ? tx.retention.removeVersions(removal) : tx.retention.removeSnapshots(removal));
  const drafts = gone.filter(({ state }) => state === 'draft').length;
  const counts =
    kind === 'config'
      ? { versions: gone.length - drafts, drafts, snapshots: 0 }
      : { versions: 0, drafts: 0, snapshots: gone.length };
  await tx.events.add('retention.removed', { of: id, name: owner.name, ...counts });
  return counts;
}

const nothing: Removed = { versions: 0, drafts: 0, snapshots: 0 };
const sum = (a: Removed, b: Removed): Removed => ({
  versions: a.versions + b.versions,
  drafts: a.drafts + b.drafts,
  snapshots: a.snapshots + b.snapshots,
});

const ruleOf = ({ versions, drafts, snapshots }: RetentionRules, kind: Kind) => ({
  rule: kind === 'config' ? versions : snapshots,
  drafts,
});

function view({ removed, kept }: Decision) {
  const counts = new Map<KeptReason, number>();
  for (const reason of kept.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return {
    stored: removed.length + kept.size,
    removable: removed.length,
    numbers: removed.slice(0, shownNumbers).map(({ version }) => version),
    kept: Object.fromEntries(counts),
  };
}
