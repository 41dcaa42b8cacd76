import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { FreezeWindow } from '@sbox/protocol';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { checkRevision } from '../if-match.ts';
import type { Environment } from './environments-repository.ts';
import { freezeAt } from './freeze-windows.ts';

export interface EnvironmentsDeps {
  readonly store: Store;
  readonly clock: Clock;
}

type Color = 'none' | 'green' | 'yellow' | 'red';

export interface EnvironmentWrite {
  readonly name: string;
  readonly description: string;
  readonly color: Color;
  readonly freezes: readonly FreezeWindow[];
}
export type EnvironmentPatch = {
  readonly [Part in Exclude<keyof EnvironmentWrite, 'name'>]?: EnvironmentWrite[Part] | undefined;
};

export type EnvironmentsService = ReturnType<typeof createEnvironmentsService>;

/** Groups of servers that are held to one pace of change. */
export function createEnvironmentsService({ store, clock }: EnvironmentsDeps) {
  const show = async (environments: readonly Environment[]) => {
    const counts = await store.environments.counts();
    return environments.map((environment) => ({
      ...environment,
      frozen: showFreeze(environment, clock),
      servers: counts.get(environment.name) ?? 0,
    }));
  };
  const showOne = async (name: string) => {
    const [shown] = await show([await findEnvironment(store, name)]);
    return shown as NonNullable<typeof shown>;
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const found = await store.environments.list(page);
      const { items, next_cursor } = toPage(found, page.limit, ({ name }) => [name]);
      return { items: await show(items), next_cursor };
    },
    get: showOne,
    async create(write: EnvironmentWrite) {
      const { name } = write;
      const now = isoTime(clock.now());
      await store.transaction(async (tx) => {
        if (await tx.environments.find(name))
          throw new ProblemError('environment.exists', `environment ${name} exists`);
        await tx.environments.insert({ ...write, revision: 1, created_at: now, updated_at: now });
        await tx.events.add('environment.created', { name });
      });
      return await showOne(name);
    },
    async edit(name: string, ifMatch: string, patch: EnvironmentPatch) {
      await store.transaction(async (tx) => {
        const stored = await findEnvironment(tx, name);
        checkRevision(ifMatch, stored.revision);
        const { description = stored.description, color = stored.color, freezes = stored.freezes } = patch;
        const next = { description, color, freezes };
        const keys = ['description', 'color', 'freezes'] as const;
        const changed = keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(stored[key]));
        if (changed.length === 0) return;
        const updated_at = isoTime(clock.now());
        await tx.environments.update(name, { ...next, revision: stored.revision + 1, updated_at });
        await tx.events.add('environment.edited', { name, changed });
      });
      return await showOne(name);
    },
    async remove(name: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const stored = await findEnvironment(tx, name);
        checkRevision(ifMatch, stored.revision);
        const users = await tx.environments.users(name, { now: isoTime(clock.now()), limit: mostNamed });
        const used = Object.entries(users).filter(([, names]) => names.length > 0);
        if (used.length > 0) {
          const detail = used.map(([kind, names]) => `${kind.replace('_', ' ')} ${names.slice(0, 5).join(', ')}`);
          throw new ProblemError('environment.in-use', `${detail.join('; ')} of ${name}`, {
            details: Object.fromEntries(used),
          });
        }
        await tx.environments.remove(name);
        await tx.events.add('environment.deleted', { name });
      });
    },
  };
}

const mostNamed = 100;

function showFreeze({ freezes }: Environment, clock: Clock) {
  const freeze = freezeAt(freezes, clock.now());
  if (!freeze) return null;
  const { name, reason, untilMs } = freeze;
  return { name, reason, until: untilMs === null ? null : isoTime(untilMs) };
}

/** @throws ProblemError `environment.not-found` */
async function findEnvironment(
  { environments }: Pick<Repositories, 'environments'>,
  name: string,
): Promise<Environment> {
  const environment = await environments.find(name);
  if (!environment) throw new ProblemError('environment.not-found', `environment ${name}`);
  return environment;
}

/** @throws ProblemError `environment.not-found` where something is to be in an environment that is not there */
export async function checkEnvironment(tx: Pick<Repositories, 'environments'>, name: string | null): Promise<void> {
  if (name !== null) await findEnvironment(tx, name);
}
