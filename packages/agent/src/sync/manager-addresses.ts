import path from 'node:path';
import { messageOf } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import * as z from 'zod/mini';
import { readOwn, type Disk } from '../state/disk.ts';
import { isOpenWire } from './open-wire.ts';

/**
 * Addresses of a manager beside those of the settings or the join. `order` says which answered last; `candidates` were
 * named by a manifest and have not answered yet.
 */
const fileSchema = z.object({
  server_id: z.string(),
  order: z.array(z.string()),
  learned: z.array(z.string()),
  candidates: z.array(z.string()),
});
type Stored = z.output<typeof fileSchema>;

export interface ManagerAddressesDeps {
  readonly stateDir: string;
  readonly serverId: string;
  /** From the settings or the join: never dropped. */
  readonly given: readonly string[];
  readonly disk: Pick<Disk, 'read' | 'write'>;
  readonly log: Logger;
}

export interface ManagerAddresses {
  /** Those that may be relied on, the one that answered last first. */
  readonly known: readonly string[];
  /** Those that have to prove themselves. */
  readonly candidates: readonly string[];
  /** What the newest manifest names; durable before that manifest is followed. */
  propose(urls: readonly string[]): Promise<void>;
  /** A candidate proved to be the manager. */
  confirm(url: string): Promise<void>;
  answered(url: string): Promise<void>;
}

const maxLearned = 16;

/** Each step is one atomic write, so that at any moment the file names an address that answered. */
export async function openManagerAddresses(deps: ManagerAddressesDeps): Promise<ManagerAddresses> {
  const { stateDir, serverId, given, disk, log } = deps;
  const file = path.join(stateDir, 'addresses.json');
  const found = z.safeParse(fileSchema, readOwn(await disk.read(file)));
  const none: Stored = { server_id: serverId, order: [], learned: [], candidates: [] };
  // Of another join: nothing of it holds here.
  let stored = found.success && found.data.server_id === serverId ? found.data : none;
  let work = Promise.resolve();

  const known = (): string[] => {
    const all = new Set([...given, ...stored.learned]);
    return [...new Set([...stored.order.filter((url) => all.has(url)), ...all])];
  };
  const apply = async (step: (now: Stored) => Stored): Promise<void> => {
    const after = step(stored);
    if (JSON.stringify(after) === JSON.stringify(stored)) return;
    try {
      await disk.write(file, JSON.stringify(after));
    } catch (error) {
      // What is known in memory serves until the disk works again; what it named before still does, too.
      log.warn('addresses of the manager not stored', { error: messageOf(error) });
    }
    stored = after;
  };
  /** One step at a time. */
  const change = async (step: (now: Stored) => Stored): Promise<void> => {
    const before = work;
    const mine = (async () => {
      await before;
      await apply(step);
    })();
    work = mine;
    await mine;
  };
  const first = (url: string, urls: readonly string[]): string[] => [url, ...urls.filter((each) => each !== url)];

  return {
    get known() {
      return known();
    },
    get candidates() {
      return stored.candidates;
    },
    propose: async (urls) =>
      await change((now) => {
        const usable = urls.flatMap((url) => originOf(url, log));
        return { ...now, candidates: [...new Set(usable)].filter((url) => !known().includes(url)) };
      }),
    confirm: async (url) =>
      await change((now) => ({
        ...now,
        order: first(url, now.order).slice(0, maxLearned + given.length),
        learned: first(url, now.learned).slice(0, maxLearned),
        candidates: now.candidates.filter((candidate) => candidate !== url),
      })),
    answered: async (url) =>
      await change((now) => (known()[0] === url ? now : { ...now, order: first(url, now.order) })),
  };
}

/** Nothing for what is no address, and for one where everybody on the way could read along. */
function originOf(text: string, log: Logger): string[] {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !isOpenWire(url)) return [url.origin];
  log.warn('address of the manager left out: not safe', { url: text.slice(0, 200) });
  return [];
}
