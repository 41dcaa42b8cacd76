import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { Repositories } from '../../database/store.ts';
import { freezeAt, type Freeze } from './freeze-windows.ts';

interface Standing {
  readonly name: string;
  readonly environment: string | null;
}

const mostNamed = 100;

/** The environments that are frozen now, of those that these servers are in. */
export async function frozenEnvironments(
  { environments }: Pick<Repositories, 'environments'>,
  clock: Clock,
  servers: readonly Standing[],
): Promise<ReadonlyMap<string, Freeze>> {
  const names = new Set(servers.flatMap(({ environment }) => (environment === null ? [] : [environment])));
  const found = new Map<string, Freeze>();
  for (const name of names) {
    const freeze = freezeAt((await environments.find(name))?.freezes ?? [], clock.now());
    if (freeze) found.set(name, freeze);
  }
  return found;
}

/** @throws ProblemError `environment.frozen` with the servers that are in the way */
export async function refuseFrozen(
  repositories: Pick<Repositories, 'environments'>,
  clock: Clock,
  servers: readonly Standing[],
): Promise<void> {
  const frozen = await frozenEnvironments(repositories, clock, servers);
  if (frozen.size === 0) return;
  const until = ({ untilMs }: Freeze): string | null => (untilMs === null ? null : isoTime(untilMs));
  const held = servers.filter(({ environment }) => environment !== null && frozen.has(environment));
  const names = held.slice(0, 5).map(({ name }) => name);
  const told = [...frozen].map(
    ([name, freeze]) =>
      `${name} is frozen ${until(freeze) ? `until ${until(freeze)}` : 'without end'} (${freeze.reason})`,
  );
  const more = held.length > names.length ? ` and ${held.length - names.length} more` : '';
  throw new ProblemError('environment.frozen', `${told.join('; ')}: ${names.join(', ')}${more}`, {
    details: {
      environments: [...frozen].map(([name, freeze]) => ({
        name,
        window: freeze.name,
        reason: freeze.reason,
        until: until(freeze),
      })),
      servers: held.slice(0, mostNamed).map(({ name }) => name),
    },
  });
}
