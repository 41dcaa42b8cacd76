import { isoTime, ProblemError, type Clock, type NewId } from '@sbox/core';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { find as findConfig } from '../configs/configs-service.ts';
import { checkEnvironment } from '../environments/environments-service.ts';
import { checkRevision } from '../if-match.ts';
import type { ServersService } from '../servers/servers-service.ts';
import type { Assignment } from './assignments-repository.ts';
import { createMeaning, type Place } from './meant.ts';
import { allPlaces, markNewcomers, refuseConflict } from './newcomers-marks.ts';

export interface AssignmentsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly servers: Pick<ServersService, 'showMany'>;
}

export interface AssignmentWrite {
  readonly name: string;
  readonly selector: string;
  readonly environment: string | null;
  readonly unit: string;
  /** Id or name. */
  readonly config: string;
}
export type AssignmentPatch = {
  readonly [Part in Exclude<keyof AssignmentWrite, 'unit'>]?: AssignmentWrite[Part] | undefined;
};

export type AssignmentsService = ReturnType<typeof createAssignmentsService>;

/** What servers a config is for, as rules. */
export function createAssignmentsService({ store, clock, newId, servers }: AssignmentsDeps) {
  const show = async (assignments: readonly Assignment[]) => {
    const places = await store.servers.places();
    return await Promise.all(assignments.map(async (assignment) => await view(store, assignment, places)));
  };
  const showOne = async (id: string) => {
    const [shown] = await show([await findAssignment(store, id)]);
    return shown as NonNullable<typeof shown>;
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.assignments.page(page), page.limit, ({ name }) => [name]);
      return { items: await show(items), next_cursor };
    },
    get: showOne,
    async create({ config, ...write }: AssignmentWrite) {
      const id = newId('asg');
      await store.transaction(async (tx) => {
        const { id: config_id } = await findConfig(tx, config);
        await refuseDouble(tx, write.name);
        await checkEnvironment(tx, write.environment);
        const now = isoTime(clock.now());
        const blank = { version: null, engine: '', revision: 1, created_at: now, updated_at: now };
        refuseConflict([...(await tx.assignments.list()), write], await allPlaces(tx, clock));
        await tx.assignments.insert({ ...write, ...blank, id, config_id });
        await tx.events.add('assignment.created', { assignment_id: id, name: write.name, config_id });
      });
      return await showOne(id);
    },
    async edit(id: string, ifMatch: string, patch: AssignmentPatch) {
      const stored = await store.transaction(async (tx) => {
        const assignment = await findAssignment(tx, id);
        checkRevision(ifMatch, assignment.revision);
        await edit(tx, clock, assignment, patch);
        return assignment;
      });
      return await showOne(stored.id);
    },
    async remove(id: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const { id: assignment_id, name, config_id, revision } = await findAssignment(tx, id);
        checkRevision(ifMatch, revision);
        await tx.assignments.remove(assignment_id);
        await tx.events.add('assignment.deleted', { assignment_id, name, config_id });
      });
    },
    /** Who is meant, and who runs it without being meant; by name. */
    async servers(id: string, query: PageQuery) {
      const { limit, after } = readPage(query);
      const rows = await serversOf(store, await findAssignment(store, id));
      const rest = after === undefined ? rows : rows.filter(({ name }) => name > String(after[0]));
      const { items, next_cursor } = toPage(rest, limit, ({ name }) => [name]);
      const views = new Map(
        (await servers.showMany(items.map(({ server_id }) => server_id))).map((one) => [one.id, one]),
      );
      const state = (serverId: string): string => views.get(serverId)?.state ?? 'new';
      return { items: items.map((row) => ({ ...row, state: state(row.server_id) })), next_cursor };
    },
  };
}

/** @throws ProblemError `assignment.not-found` */
async function findAssignment({ assignments }: Pick<Repositories, 'assignments'>, id: string): Promise<Assignment> {
  const assignment = await assignments.find(id);
  if (!assignment) throw new ProblemError('assignment.not-found', `assignment ${id}`);
  return assignment;
}

async function refuseDouble(tx: Repositories, name: string): Promise<void> {
  if (await tx.assignments.find(name)) throw new ProblemError('assignment.exists', `assignment ${name} exists`);
}

async function edit(
  tx: Repositories,
  clock: Clock,
  stored: Assignment,
  { config, ...patch }: AssignmentPatch,
): Promise<void> {
  const { name = stored.name, selector = stored.selector, environment = stored.environment } = patch;
  const config_id = config === undefined ? stored.config_id : (await findConfig(tx, config)).id;
  const wanted = { name, selector, environment, config_id };
  const keys = ['name', 'selector', 'environment', 'config_id'] as const;
  const changed = keys.filter((key) => wanted[key] !== stored[key]);
  if (changed.length === 0) return;
  if (name !== stored.name) await refuseDouble(tx, name);
  await checkEnvironment(tx, environment);
  // Another config was never deployed by this assignment.
  const deployed = config_id === stored.config_id ? stored : { version: null, engine: '' };
  const next: Assignment = { ...stored, ...wanted, version: deployed.version, engine: deployed.engine };
  const others = (await tx.assignments.list()).filter(({ id }) => id !== stored.id);
  refuseConflict([...others, next], await allPlaces(tx, clock));
  const { id, version, engine } = next;
  const written = { revision: stored.revision + 1, updated_at: isoTime(clock.now()) };
  await tx.assignments.update(id, { ...wanted, version, engine, ...written });
  await tx.events.add('assignment.edited', { assignment_id: id, name, config_id, changed });
  const [means, meant] = [createMeaning(next), createMeaning(stored)];
  const places = await tx.servers.places();
  const newcomers = places.filter((place) => means(place) && !meant(place));
  await markNewcomers(
    tx,
    next,
    newcomers.map(({ id: serverId }) => serverId),
  );
}

async function view({ configs }: Pick<Repositories, 'configs'>, assignment: Assignment, places: readonly Place[]) {
  const config = await configs.find(assignment.config_id);
  const { engine, ...rest } = assignment;
  return {
    ...rest,
    config: config?.name ?? assignment.config_id,
    engine: engine === '' ? null : engine,
    servers: places.filter(createMeaning(assignment)).length,
  };
}

async function serversOf({ servers, assignments, configs }: Repositories, assignment: Assignment) {
  const { config_id, unit } = assignment;
  const places = await servers.places();
  const means = createMeaning(assignment);
  // Another assignment of the same config may be why a server runs it.
  const others = (await assignments.list({ configId: config_id })).filter((other) => other.unit === unit);
  const meaners = others.map(createMeaning);
  const running = new Set(
    (await servers.assignments({ configId: config_id })).flatMap((sent) =>
      sent.unit === unit ? [sent.server_id] : [],
    ),
  );
  const shown = places.filter(
    (place) => means(place) || (running.has(place.id) && meaners.every((isMeant) => !isMeant(place))),
  );
  const sent = (await servers.assignments({ serverIds: shown.map(({ id }) => id) })).filter((row) => row.unit === unit);
  const byServer = new Map(sent.map((row) => [row.server_id, row]));
  const ids = new Set(sent.map((row) => row.config_id));
  const found = await Promise.all([...ids].map(async (id) => await configs.find(id)));
  const names = new Map(found.flatMap((config) => (config ? [[config.id, config.name]] : [])));
  return shown.map((place) => {
    const row = byServer.get(place.id);
    return {
      server_id: place.id,
      name: place.name,
      environment: place.environment,
      labels: place.labels,
      meant: means(place),
      sent: row
        ? { config_id: row.config_id, config: names.get(row.config_id) ?? row.config_id, version: row.version }
        : null,
    };
  });
}
