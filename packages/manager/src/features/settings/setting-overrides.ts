import { isoTime, parseDuration, ProblemError, type Clock, type NewId } from '@sbox/core';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Store } from '../../database/store.ts';
import { hideValue, templatesFor } from './known-templates.ts';
import { checkValues } from './setting-keys.ts';
import { withLayer, type SettingsChanges } from './settings-changes.ts';
import { overrideLayer, type StoredOverride } from './settings-repository.ts';
import { storedScope } from './settings-service.ts';

export interface OverridesDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly changes: SettingsChanges;
}

export interface OverrideWrite {
  readonly scope: string;
  readonly key: string;
  readonly value: unknown;
  readonly ttl: string;
  readonly reason: string;
}

export type SettingOverrides = ReturnType<typeof createSettingOverrides>;

/** Ended in one round; the next comes soon. */
const endedAtOnce = 20;

/** Values that win for a while. They are stored with their end, so that a restart changes nothing. */
export function createSettingOverrides({ store, clock, newId, changes }: OverridesDeps) {
  const show = async (row: StoredOverride) => ({
    ...row,
    value: hideValue(row.key, row.value, await templatesFor(store, [row.key])),
  });
  const end = async (id: string, author: string, isCertain: boolean): Promise<void> => {
    await changes.apply(async (before) => {
      const stored = await store.settings.findOverride(id);
      if (!stored) return undefined;
      const { scope, key, reason } = stored;
      return {
        scope,
        keys: [key],
        version: null,
        after: withLayer(before, { ...overrideLayer(stored), values: {} }),
        write: async (tx) => await tx.settings.removeOverride(id),
        author,
        message: `override of ${key} for ${scope} ended (${reason})`.slice(0, 1000),
        isCertain,
      };
    });
  };

  return {
    async create({ scope, key, value, ttl, reason }: OverrideWrite, author: string) {
      const now = clock.now();
      const row: StoredOverride = {
        id: newId('ovr'),
        scope: await storedScope(store, scope),
        key,
        value,
        reason,
        author,
        created_at: isoTime(now),
        ends_at: isoTime(now + (parseDuration(ttl) ?? 0)),
      };
      await changes.apply(async (before) => {
        checkValues({ [key]: value }, await templatesFor(store, [key]), row.scope);
        return {
          scope: row.scope,
          keys: [key],
          version: null,
          after: withLayer(before, overrideLayer(row)),
          write: async (tx) => await tx.settings.insertOverride(row),
          author,
          message: `override of ${key} for ${row.scope} until ${row.ends_at} (${reason})`.slice(0, 1000),
        };
      });
      return await show(row);
    },
    async list(query: PageQuery) {
      const page = readPage(query, 2);
      const rows = await store.settings.listOverrides(page);
      const { items, next_cursor } = toPage(rows, page.limit, ({ created_at, id }) => [created_at, id]);
      return { items: await Promise.all(items.map(show)), next_cursor };
    },
    async end(id: string, author: string): Promise<void> {
      if (!(await store.settings.findOverride(id)))
        throw new ProblemError('settings.override-not-found', `override ${id}`);
      // Whoever ends one by hand would have to wait for its end otherwise: a config that it breaks keeps its version.
      await end(id, author, true);
    },
    /** Ends what should have ended by now. */
    async endDue(): Promise<void> {
      for (const { id } of await store.settings.dueOverrides(isoTime(clock.now()), endedAtOnce))
        await end(id, 'manager', true);
    },
  };
}
