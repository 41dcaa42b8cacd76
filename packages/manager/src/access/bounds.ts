import { ProblemError } from '@sbox/core';
import type { Caller, Exchange, Step } from '@sbox/daemon/serve';
import {
  areWithin,
  holdTo,
  isWithin,
  reachOf,
  showBounds,
  type Bounds,
  type HeldBounds,
  type NamedThing,
  type Reach,
} from '@sbox/protocol';
import type { Repositories, Store } from '../database/store.ts';
import type { Config } from '../features/configs/configs-repository.ts';
import { extentOfUnits, kinds, outOfBounds, refuseServersOutside } from './reached-things.ts';

/**
 * Callers with bounds meet only what is inside. What the request names is looked up here, before the handler: a thing
 * outside and one that is not there are the same to the caller, to the letter. From here on things go by their ids, so that
 * one cannot take the name of another in between.
 */
export const createBoundsStep =
  (store: Store): Step =>
  async (exchange, next) => {
    const { caller, route } = exchange;
    if (caller.bounds === undefined || route.permission === 'public') return await next();
    const reach = reachOf(route);
    if (!reach) throw outOfBounds(`${route.id} is about everything, not only about what is inside of your bounds`);
    await refuseOutside(store, caller.bounds, reach, exchange);
    return await next();
  };

async function refuseOutside(store: Store, bounds: HeldBounds, reach: Reach, exchange: Exchange): Promise<void> {
  const isConfig = reach.names.some(({ kind, at }) => kind === 'config' && at === 'params.id');
  const config = isConfig ? await store.configs.find(textAt(exchange.args, 'params.id')) : undefined;
  const kept = keptBy(config);
  for (const thing of reach.names) exchange.args = await lookUp(store, bounds, { thing, kept, args: exchange.args });
  if (reach.shows_units) {
    const extent = await extentOfUnits(store, textAt(exchange.args, 'params.id'));
    if (!isWithin(bounds, extent)) throw outOfBounds('what this server runs is outside of your bounds');
  }
  const isDeploy = exchange.route.id === 'deployConfig';
  if (reach.moves || isDeploy) await refuseServersOutside(store, bounds, await movedBy(store, exchange, config));
  const isChosen = ['servers', 'environment', 'selector'].some((way) => hasValue(exchange.args, `body.${way}`));
  if (isDeploy && config && !isChosen) await refuseOnlyServer(store, bounds, config);
}

/** Configs that go to servers by themselves after this. */
async function movedBy(store: Repositories, { route, args }: Exchange, config: Config | undefined): Promise<string[]> {
  if (config) {
    const body = (args.body ?? {}) as { readonly auto_deploy?: boolean; readonly draft?: boolean };
    const { auto_deploy = config.auto_deploy, draft = false } = body;
    // No server is given a draft.
    if (draft) return [];
    return route.id === 'deployConfig' || auto_deploy || config.auto_deploy ? [config.id] : [];
  }
  const using =
    route.id === 'replaceTemplate'
      ? await store.configs.following(textAt(args, 'params.name'))
      : await store.configs.using(textAt(args, 'params.id'));
  return using.filter(({ auto_deploy }) => auto_deploy).map(({ id }) => id);
}

/** Without names, a config that nothing runs goes to the only server there is. */
async function refuseOnlyServer(store: Repositories, bounds: HeldBounds, { id }: Config): Promise<void> {
  if ((await store.servers.assignments({ configId: id })).length > 0) return;
  const all = await store.servers.list({ limit: 1, after: undefined });
  if (all.length === 1 && !isWithin(bounds, { servers: all.map(({ labels }) => labels) }))
    throw outOfBounds('it reaches 1 server, outside of your bounds', { servers: 1, assignments: 0 });
}

type RequestArgs = Exchange['args'];

interface LookUp {
  readonly thing: NamedThing;
  /** Ids and names that may be named although they are outside. */
  readonly kept: ReadonlySet<string>;
  readonly args: RequestArgs;
}

/** @returns the request with ids in place of names */
async function lookUp(
  store: Repositories,
  bounds: HeldBounds,
  { thing: { kind, at }, kept, args }: LookUp,
): Promise<RequestArgs> {
  const value = valueAt(args, at);
  const { find, missing } = kinds[kind];
  const idOf = async (name: string): Promise<string> => {
    const found = await find(store, name, bounds);
    if (found && (found.isInside || kept.has(`${kind} ${found.id}`))) return found.id;
    throw missing(name);
  };
  if (typeof value === 'string') return withValue(args, at, await idOf(value));
  if (!Array.isArray(value)) return args;
  const ids: string[] = [];
  for (const name of value as string[]) ids.push(await idOf(name));
  return withValue(args, at, ids);
}

/** What a config uses already it goes on using. */
const keptBy = (config: Config | undefined): ReadonlySet<string> =>
  new Set(config && [...config.subscriptions.map((id) => `subscription ${id}`), `template ${config.template.name}`]);

type Json = Readonly<Record<string, unknown>>;

const valueAt = (args: RequestArgs, at: NamedThing['at']): unknown =>
  at
    .split('.')
    .reduce<unknown>(
      (value, key) => (typeof value === 'object' && value !== null ? (value as Json)[key] : undefined),
      args,
    );

const hasValue = (args: RequestArgs, at: NamedThing['at']): boolean => valueAt(args, at) !== undefined;

const textAt = (args: RequestArgs, at: NamedThing['at']): string => String(valueAt(args, at));

const withValue = (args: RequestArgs, at: NamedThing['at'], value: unknown): RequestArgs =>
  put(args as Json, at.split('.'), value);

const put = (object: Json, [key = '', ...rest]: readonly string[], value: unknown): Json => ({
  ...object,
  [key]: rest.length === 0 ? value : put(object[key] as Json, rest, value),
});

/** The projects that a list shows: those that were asked for and are inside; undefined: all. */
export function projectsOf(
  { bounds }: Pick<Caller, 'bounds'>,
  asked: string | undefined,
): ReadonlySet<string> | undefined {
  if (asked === undefined) return bounds?.projects;
  return new Set(isWithin(bounds, { projects: [asked] }) ? [asked] : []);
}

/** What somebody is given is not wider than what the giver has; who is given nothing gets that. */
export function boundsToGive({ name, bounds: own }: Caller, asked: Bounds | undefined, what: string): string | null {
  const given = asked === undefined ? own : holdTo(asked);
  if (!areWithin(given, own))
    throw new ProblemError('auth.out-of-bounds', `${name} cannot ${what}: these bounds are wider than its own`);
  return given === undefined ? null : JSON.stringify(showBounds(given));
}
