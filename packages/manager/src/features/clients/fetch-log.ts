import type { Store } from '../../database/store.ts';
import type { ClientFetch } from './clients-repository.ts';

/** Who asked for what lately; written down in passing, so that nobody waits for it and no answer tells by its time. */
export interface FetchLog {
  add(clientId: string, fetch: ClientFetch): void;
  flush(): Promise<void>;
  forget(clientId: string): void;
}

/** Of each client. */
const kept = 50;
/** Not written yet, of all clients; beyond that the oldest are lost. */
const mostPending = 50_000;
/** Clients in one transaction, so that nobody waits long. */
const batch = 100;

export function createFetchLog(store: Pick<Store, 'transaction'>): FetchLog {
  let pending = new Map<string, ClientFetch[]>();
  let count = 0;
  return {
    add(clientId, fetch) {
      const list = pending.get(clientId) ?? [];
      pending.set(clientId, list);
      list.push(fetch);
      count += 1;
      if (list.length > kept) {
        list.shift();
        count -= 1;
      }
      if (count <= mostPending) return;
      const [oldest] = pending;
      if (!oldest) return;
      pending.delete(oldest[0]);
      count -= oldest[1].length;
    },
    async flush() {
      const due = [...pending];
      pending = new Map();
      count = 0;
      for (let at = 0; at < due.length; at += batch)
        await store.transaction(async ({ clients }) => {
          for (const [id, fetches] of due.slice(at, at + batch)) await clients.addFetches(id, fetches, kept);
        });
    },
    forget(clientId) {
      count -= pending.get(clientId)?.length ?? 0;
      pending.delete(clientId);
    },
  };
}
