import type { AuditCheckpoint, AuditEntry } from '@sbox/protocol';
import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { AuditEntryRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export interface AuditFilter {
  /** Id or name. */
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly result?: string | undefined;
  /** From then on, and before then. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

export interface StoredCheckpoint extends AuditCheckpoint {
  /** SPKI, base64. */
  readonly public_key: string;
}

/** The audit log of one tenant; rows are only ever added. Lists hold one row more than the limit when there is one. */
export interface AuditRepository {
  /** The last entry's number and hash. */
  head(): Promise<{ readonly seq: number; readonly hash: string } | undefined>;
  insert(entry: AuditEntry): Promise<void>;
  find(seq: number): Promise<AuditEntry | undefined>;
  /** Newest first; `after` is [seq]. */
  list(page: PageRequest & AuditFilter): Promise<AuditEntry[]>;
  /** At most `limit` entries behind a number, in order. */
  following(seq: number, limit: number): Promise<AuditEntry[]>;
  insertCheckpoint(checkpoint: StoredCheckpoint): Promise<void>;
  /** Newest first; `after` is [seq]. */
  listCheckpoints(page: PageRequest): Promise<StoredCheckpoint[]>;
  /** Those over entries from one number to another, in order. */
  checkpointsWithin(from: number, to: number): Promise<StoredCheckpoint[]>;
}

const isId = /^[a-z]{2,3}_[0-9A-Za-z]{16}$/;

export function createAuditRepository(db: Kysely<Tables>, tenant_id: string): AuditRepository {
  const entries = () => db.selectFrom('audit_entries').selectAll().where('tenant_id', '=', tenant_id);
  return {
    head: async () =>
      await db
        .selectFrom('audit_entries')
        .select(['seq', 'hash'])
        .where('tenant_id', '=', tenant_id)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst(),
    async insert(entry) {
      const { object, change } = entry;
      await db
        .insertInto('audit_entries')
        .values({ ...entry, tenant_id, object: JSON.stringify(object), change: JSON.stringify(change) })
        .execute();
    },
    async find(seq) {
      const row = await entries().where('seq', '=', seq).executeTakeFirst();
      return row && toEntry(row);
    },
    async list({ limit, after, actor, action, result, since, until }) {
      let query = entries()
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('seq', '<', Number(after[0]));
      // One column or the other: an index gives the newest of one at once, and either of both only after sorting all.
      if (actor !== undefined) query = query.where(isId.test(actor) ? 'actor_id' : 'actor_name', '=', actor);
      if (action !== undefined) query = query.where('action', '=', action);
      if (result !== undefined) query = query.where('result', '=', result);
      if (since !== undefined) query = query.where('ts', '>=', since);
      if (until !== undefined) query = query.where('ts', '<', until);
      return (await query.execute()).map(toEntry);
    },
    following: async (seq, limit) =>
      (await entries().where('seq', '>', seq).orderBy('seq').limit(limit).execute()).map(toEntry),
    ...checkpointsOf(db, tenant_id),
  };
}

function checkpointsOf(
  db: Kysely<Tables>,
  tenant_id: string,
): Pick<AuditRepository, 'insertCheckpoint' | 'listCheckpoints' | 'checkpointsWithin'> {
  const checkpoints = () => db.selectFrom('audit_checkpoints').selectAll().where('tenant_id', '=', tenant_id);
  return {
    async insertCheckpoint(checkpoint) {
      await db
        .insertInto('audit_checkpoints')
        .values({ ...checkpoint, tenant_id })
        .execute();
    },
    async listCheckpoints({ limit, after }) {
      let query = checkpoints()
        .orderBy('seq', 'desc')
        .limit(limit + 1);
      if (after) query = query.where('seq', '<', Number(after[0]));
      return (await query.execute()).map((row) => omit(row, 'tenant_id'));
    },
    async checkpointsWithin(from, to) {
      const rows = await checkpoints().where('seq', '>=', from).where('seq', '<=', to).orderBy('seq').execute();
      return rows.map((row) => omit(row, 'tenant_id'));
    },
  };
}

const toEntry = (row: AuditEntryRow): AuditEntry => ({
  ...omit(row, 'tenant_id'),
  v: row.v as 1,
  object: JSON.parse(row.object) as AuditEntry['object'],
  change: JSON.parse(row.change) as AuditEntry['change'],
});
