import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { Repositories } from '../../database/store.ts';
import type { Assignment } from './assignments-repository.ts';
import { createMeaning, findConflict, type Place, type Rule } from './meant.ts';

/** Servers that an assignment has come to mean, until they were sent what it was deployed with. */
export interface Newcomers {
  readonly servers: readonly string[];
  /** What brings some of them up now. */
  readonly deployment?: string;
}

/** In `meta`, by the assignment: a manager that died meanwhile finds them here. */
export const newcomersKey = 'newcomers ';

const mostNamed = 100;

/** Writes down that an assignment has come to mean these servers; where it was never deployed there is nothing to send. */
export async function markNewcomers(
  { meta }: Pick<Repositories, 'meta'>,
  { id, version }: Pick<Assignment, 'id' | 'version'>,
  serverIds: readonly string[],
): Promise<void> {
  if (version === null || serverIds.length === 0) return;
  const stored = JSON.parse((await meta.get(newcomersKey + id)) ?? '{"servers":[]}') as Newcomers;
  const servers = [...new Set([...stored.servers, ...serverIds])];
  await meta.set(newcomersKey + id, JSON.stringify({ ...stored, servers } satisfies Newcomers));
}

/** A server stands somewhere else than before, or is there for the first time: marks it for what means it now. */
export async function serverPlaced(
  tx: Repositories,
  server: Place & { readonly id: string },
  before?: Place,
): Promise<void> {
  for (const assignment of await tx.assignments.list()) {
    const means = createMeaning(assignment);
    if (means(server) && !(before && means(before))) await markNewcomers(tx, assignment, [server.id]);
  }
}

/** Where servers stand, and where those will that may still join: their tokens are out. */
export async function allPlaces({ servers }: Pick<Repositories, 'servers'>, clock: Clock): Promise<Place[]> {
  return [...(await servers.places()), ...(await servers.tokenPlaces(isoTime(clock.now())))];
}

/** @throws ProblemError `assignment.conflict` where two rules mean one unit of a place */
export function refuseConflict(rules: readonly Rule[], places: readonly Place[]): void {
  const conflict = findConflict(rules, places);
  if (!conflict) return;
  const [first, second] = conflict.rules;
  const names = conflict.places.slice(0, 5).join(', ');
  const more = conflict.places.length > 5 ? ` and ${conflict.places.length - 5} more` : '';
  throw new ProblemError(
    'assignment.conflict',
    `${first} and ${second} both mean ${conflict.unit} of ${names}${more}`,
    {
      details: { assignments: [first, second], unit: conflict.unit, servers: conflict.places.slice(0, mostNamed) },
    },
  );
}
