import type { ClientFormat, ClientRule, clientWriteSchema } from '@sbox/protocol';
import type { Kysely, Updateable } from 'kysely';
import type * as z from 'zod/mini';
import type { PageRequest } from '../../database/page.ts';
import type { ClientDeviceRow, ClientFetchRow, ClientRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

type Written = z.output<typeof clientWriteSchema>;

/** A client as it is stored, its parts parsed. */
export interface StoredClient extends Omit<ClientRow, 'tenant_id' | 'enabled' | 'hwid' | 'usage' | 'format' | 'rules'> {
  enabled: boolean;
  hwid: Written['hwid'];
  usage: Written['usage'];
  format: ClientFormat;
  rules: readonly ClientRule[];
}

export type ClientDevice = Omit<ClientDeviceRow, 'tenant_id' | 'client_id'>;
export type ClientFetch = Omit<ClientFetchRow, 'tenant_id' | 'client_id' | 'number' | 'format'> & {
  readonly format: ClientFormat | null;
};
export interface StoredRules {
  readonly rules: readonly ClientRule[];
  readonly revision: number;
  readonly updated_at: string;
}

/** What a list shows beside what people wrote down. */
export interface ClientFacts {
  readonly devices: number;
  readonly last_fetch: Pick<ClientFetch, 'at' | 'user_agent' | 'outcome'> | null;
}

export interface ClientsRepository {
  insert(client: StoredClient): Promise<void>;
  /** By id or by name. */
  find(idOrName: string): Promise<StoredClient | undefined>;
  /** With the version that its config serves. */
  findByToken(tokenSha256: string): Promise<{ client: StoredClient; version: number | null } | undefined>;
  /** By name; `after` is [name]. */
  list(page: PageRequest): Promise<StoredClient[]>;
  /** Names of the clients of a config, at most 100. */
  namesOf(configId: string): Promise<string[]>;
  update(id: string, changes: Partial<Omit<StoredClient, 'id'>>): Promise<void>;
  /** With its devices and fetches. */
  remove(id: string): Promise<void>;
  facts(ids: readonly string[]): Promise<ReadonlyMap<string, ClientFacts>>;
  /** The one that came first before the others. */
  devices(id: string): Promise<ClientDevice[]>;
  device(id: string, hwid: string): Promise<ClientDevice | undefined>;
  countDevices(id: string): Promise<number>;
  putDevice(id: string, device: ClientDevice): Promise<void>;
  /** Whether it was there. */
  removeDevice(id: string, hwid: string): Promise<boolean>;
  /** Oldest first; what is older than the newest `keep` of the client goes. */
  addFetches(id: string, fetches: readonly ClientFetch[], keep: number): Promise<void>;
  /** Newest first. */
  fetches(id: string): Promise<ClientFetch[]>;
  /** Undefined while nobody has set any. */
  sharedRules(): Promise<StoredRules | undefined>;
  setSharedRules(rules: StoredRules): Promise<void>;
}

export const createClientsRepository = (db: Kysely<Tables>, tenant_id: string): ClientsRepository => ({
  ...clientsOf(db, tenant_id),
  ...factsOf(db, tenant_id),
  ...devicesOf(db, tenant_id),
  ...fetchesOf(db, tenant_id),
  ...rulesOf(db, tenant_id),
});

function clientsOf(db: Kysely<Tables>, tenant_id: string) {
  const select = () => db.selectFrom('clients').selectAll().where('tenant_id', '=', tenant_id);
  return {
    async insert(client: StoredClient): Promise<void> {
      await db
        .insertInto('clients')
        .values({ ...(writeRow(client) as ClientRow), tenant_id })
        .execute();
    },
    async find(idOrName: string): Promise<StoredClient | undefined> {
      const rows = await select()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && readRow(row);
    },
    async findByToken(tokenSha256: string): Promise<{ client: StoredClient; version: number | null } | undefined> {
      const row = await db
        .selectFrom('clients')
        .innerJoin('configs', (join) =>
          join.onRef('configs.tenant_id', '=', 'clients.tenant_id').onRef('configs.id', '=', 'clients.config_id'),
        )
        .selectAll('clients')
        .select('configs.version')
        .where('clients.tenant_id', '=', tenant_id)
        .where('token_sha256', '=', tokenSha256)
        .executeTakeFirst();
      return row && { client: readRow(omit(row, 'version')), version: row.version };
    },
    async list({ limit, after }: PageRequest): Promise<StoredClient[]> {
      let query = select()
        .orderBy('name')
        .limit(limit + 1);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(readRow);
    },
    async namesOf(configId: string): Promise<string[]> {
      const rows = await select().where('config_id', '=', configId).orderBy('name').limit(100).execute();
      return rows.map(({ name }) => name);
    },
    async update(id: string, changes: Partial<Omit<StoredClient, 'id'>>): Promise<void> {
      await db
        .updateTable('clients')
        .set(writeRow(changes))
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async remove(id: string): Promise<void> {
      await db.deleteFrom('clients').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
  };
}

function factsOf(db: Kysely<Tables>, tenant_id: string) {
  return {
    async facts(ids: readonly string[]): Promise<ReadonlyMap<string, ClientFacts>> {
      if (ids.length === 0) return new Map();
      const counted = await db
        .selectFrom('client_devices')
        .select((of) => ['client_id', of.fn.countAll<number>().as('count')])
        .where('tenant_id', '=', tenant_id)
        .where('client_id', 'in', ids)
        .groupBy('client_id')
        .execute();
      const newest = db
        .selectFrom('client_fetches')
        .select((of) => ['tenant_id', 'client_id', of.fn.max('number').as('number')])
        .where('tenant_id', '=', tenant_id)
        .where('client_id', 'in', ids)
        .groupBy(['tenant_id', 'client_id'])
        .as('newest');
      const fetched = await db
        .selectFrom(newest)
        .innerJoin('client_fetches as fetch', (join) =>
          join
            .onRef('fetch.tenant_id', '=', 'newest.tenant_id')
            .onRef('fetch.client_id', '=', 'newest.client_id')
            .onRef('fetch.number', '=', 'newest.number'),
        )
        .select(['fetch.client_id', 'at', 'user_agent', 'outcome'])
        .execute();
      const devices = new Map(counted.map(({ client_id, count }) => [client_id, count]));
      const last = new Map(fetched.map(({ client_id, ...fetch }) => [client_id, fetch]));
      return new Map(ids.map((id) => [id, { devices: devices.get(id) ?? 0, last_fetch: last.get(id) ?? null }]));
    },
  };
}

function devicesOf(db: Kysely<Tables>, tenant_id: string) {
  const select = (id: string) =>
    db.selectFrom('client_devices').where('tenant_id', '=', tenant_id).where('client_id', '=', id);
  const plain = (row: ClientDeviceRow): ClientDevice => omit(row, 'tenant_id', 'client_id');
  return {
    devices: async (id: string): Promise<ClientDevice[]> =>
      (await select(id).selectAll().orderBy('first_seen_at').orderBy('hwid').execute()).map(plain),
    async device(id: string, hwid: string): Promise<ClientDevice | undefined> {
      const row = await select(id).selectAll().where('hwid', '=', hwid).executeTakeFirst();
      return row && plain(row);
    },
    async countDevices(id: string): Promise<number> {
      const query = select(id).select((of) => of.fn.countAll<number>().as('count'));
      return (await query.executeTakeFirstOrThrow()).count;
    },
    async putDevice(id: string, device: ClientDevice): Promise<void> {
      await db
        .insertInto('client_devices')
        .values({ ...device, client_id: id, tenant_id })
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'client_id', 'hwid'])
            .doUpdateSet({ ...omit(device, 'hwid', 'first_seen_at') }),
        )
        .execute();
    },
    async removeDevice(id: string, hwid: string): Promise<boolean> {
      const query = db.deleteFrom('client_devices').where('tenant_id', '=', tenant_id).where('client_id', '=', id);
      const { numDeletedRows } = await query.where('hwid', '=', hwid).executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

function fetchesOf(db: Kysely<Tables>, tenant_id: string) {
  const select = (id: string) =>
    db.selectFrom('client_fetches').where('tenant_id', '=', tenant_id).where('client_id', '=', id);
  return {
    async addFetches(id: string, fetches: readonly ClientFetch[], keep: number): Promise<void> {
      // A client may have been deleted since it was answered.
      const client = await db
        .selectFrom('clients')
        .select('id')
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .executeTakeFirst();
      if (!client || fetches.length === 0) return;
      const newest = await select(id)
        .select((of) => of.fn.max('number').as('number'))
        .executeTakeFirst();
      const first = ((newest?.number as number | null | undefined) ?? 0) + 1;
      const rows = fetches.map((fetch, index) => ({ ...fetch, client_id: id, number: first + index, tenant_id }));
      await db.insertInto('client_fetches').values(rows).execute();
      await db
        .deleteFrom('client_fetches')
        .where('tenant_id', '=', tenant_id)
        .where('client_id', '=', id)
        .where('number', '<', first + fetches.length - keep)
        .execute();
    },
    fetches: async (id: string): Promise<ClientFetch[]> =>
      (await select(id).selectAll().orderBy('number', 'desc').execute()).map((row) => ({
        ...omit(row, 'tenant_id', 'client_id', 'number'),
        format: row.format as ClientFormat | null,
      })),
  };
}

const shared = 'shared';

function rulesOf(db: Kysely<Tables>, tenant_id: string) {
  return {
    async sharedRules(): Promise<StoredRules | undefined> {
      const query = db.selectFrom('client_rules').select(['rules', 'revision', 'updated_at']);
      const row = await query.where('tenant_id', '=', tenant_id).where('name', '=', shared).executeTakeFirst();
      return row && { ...row, rules: JSON.parse(row.rules) as ClientRule[] };
    },
    async setSharedRules({ rules, ...facts }: StoredRules): Promise<void> {
      const row = { ...facts, rules: JSON.stringify(rules) };
      await db
        .insertInto('client_rules')
        .values({ ...row, name: shared, tenant_id })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doUpdateSet(row))
        .execute();
    },
  };
}

function writeRow({ enabled, hwid, usage, rules, ...plain }: Partial<StoredClient>): Updateable<ClientRow> {
  return {
    ...plain,
    ...(enabled === undefined ? {} : { enabled: Number(enabled) }),
    ...(hwid === undefined ? {} : { hwid: JSON.stringify(hwid) }),
    ...(usage === undefined ? {} : { usage: usage && JSON.stringify(usage) }),
    ...(rules === undefined ? {} : { rules: JSON.stringify(rules) }),
  };
}

const readRow = (row: ClientRow): StoredClient => ({
  ...omit(row, 'tenant_id'),
  enabled: row.enabled === 1,
  hwid: JSON.parse(row.hwid) as StoredClient['hwid'],
  usage: row.usage === null ? null : (JSON.parse(row.usage) as StoredClient['usage']),
  format: row.format as ClientFormat,
  rules: JSON.parse(row.rules) as ClientRule[],
});
