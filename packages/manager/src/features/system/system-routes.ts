import { isoTime, messageOf, ProblemError } from '@sbox/core';
import type { Metrics } from '@sbox/daemon/metrics';
import type { Handlers } from '@sbox/daemon/serve';
import { auditFaults, type OperatorContract } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import { readPage, toPage } from '../../database/page.ts';
import type { metricTable } from '../../metric-table.ts';
import type { Audit } from '../audit/audit.ts';
import type { LocalEngine } from '../configs/engine-check.ts';
import type { ServersService } from '../servers/servers-service.ts';

export interface SystemDeps {
  readonly store: Store;
  readonly servers: Pick<ServersService, 'states'>;
  readonly metrics: Metrics<typeof metricTable>;
  readonly engine: LocalEngine | undefined;
  readonly version: string;
  readonly startedMs: number;
  readonly pin: string;
  readonly epoch: number;
  /** Where the audit log was found to be broken. */
  readonly brokenAudit: Audit['broken'];
}

export function createSystemRoutes(deps: SystemDeps): Handlers<OperatorContract['system']> {
  const { store, servers, metrics, engine } = deps;
  const databaseCheck = async () => {
    try {
      await store.meta.get('epoch');
      return { name: 'database', ok: true, detail: 'answers' };
    } catch (error) {
      return { name: 'database', ok: false, detail: messageOf(error) };
    }
  };
  const engineCheck = engine
    ? { name: 'engine', ok: true, detail: `sing-box ${engine.target.version}` }
    : { name: 'engine', ok: true, detail: 'none here: versions are checked by the servers' };
  const auditCheck = () => {
    const broken = deps.brokenAudit();
    const detail = broken
      ? `entry ${broken.seq}: ${auditFaults[broken.fault]}`
      : 'the last entries that were signed held';
    return { name: 'audit', ok: !broken, detail };
  };
  return {
    async health() {
      const checks = [await databaseCheck(), engineCheck, auditCheck()];
      return { ok: checks.every(({ ok }) => ok), checks };
    },
    async status() {
      const states = await servers.states();
      return {
        version: deps.version,
        started_at: isoTime(deps.startedMs),
        pin: deps.pin,
        epoch: deps.epoch,
        subscriptions: await store.subscriptions.count(),
        configs: await store.configs.count(),
        servers: states,
        engine: engine ? { path: engine.path, version: engine.target.version, tags: [...engine.target.tags] } : null,
      };
    },
    async metrics() {
      for (const [state, count] of Object.entries(await servers.states()))
        metrics.set('sbox_servers', count, { state });
      return { bytes: Buffer.from(await metrics.print()), etag: undefined };
    },
    live: async () => await Promise.resolve({ ok: true }),
    async ready() {
      // Open to all, so that the reason stays in getHealth.
      if (!(await databaseCheck()).ok) throw new ProblemError('internal.unavailable', 'the database does not answer');
      return { ok: true };
    },
  };
}

/** Who comes and goes, and with what: not for everybody who may see what servers do. */
const aboutPeople = ['user.', 'session.', 'token.'];

export const createEventsRoutes = (store: Store): Handlers<OperatorContract['events']> => ({
  async list({ query }, { caller: { permissions } }) {
    const page = readPage(query);
    const without = permissions.has('people:read') ? [] : aboutPeople;
    const rows = await store.events.list({ ...page, prefix: query.type, without });
    const { items, next_cursor } = toPage(rows, page.limit, ({ seq }) => [seq]);
    return { items: items.map((event) => ({ ...event, data: { ...event.data } })), next_cursor };
  },
});
