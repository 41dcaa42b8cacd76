import { printDuration, ProblemError } from '@sbox/core';
import { flag, type Call } from '../command.ts';
import { connect, knowsManager, type OperatorClient } from '../connection.ts';

type Handler = (call: Call) => Promise<number | void>;

/** A command that works through the typed client; the connection is closed when it ends. */
export const withClient =
  (handler: (client: OperatorClient, call: Call) => Promise<number | void>): Handler =>
  async (call) => {
    await using connection = await connect(call);
    return await handler(connection.client, call);
  };

/** Who has a manager means what it has. @throws ProblemError `command.usage` */
export async function isRemote(call: Call): Promise<boolean> {
  const [remote, local] = [flag(call, 'remote'), flag(call, 'local')];
  if (remote && local)
    throw new ProblemError('command.usage', '--remote and --local name two places', { fix: 'Leave one of them away.' });
  return remote || (!local && (await knowsManager(call)));
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next_cursor: string | null;
}

const pagesMax = 100;

/** Every row of a paged list, up to a hundred pages of a thousand. */
export async function everyPage<T>(
  load: (query: { limit: number; cursor?: string }) => Promise<Page<T>>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const { items, next_cursor }: Page<T> = await load({ limit: 1000, ...(cursor === null ? {} : { cursor }) });
    all.push(...items);
    cursor = next_cursor;
    if (cursor === null) break;
  }
  return all;
}

/** How long ago, in words. */
export const age = (at: string, now: number): string => printDuration(Math.max(0, now - Date.parse(at)));

/** Names by id; without them, for a token that may not see configs, the ids stand. */
export const configNames = async (client: OperatorClient): Promise<ReadonlyMap<string, string>> =>
  await everyPage((query) => client.configs.list({ query })).then(
    (configs) => new Map(configs.map(({ id, name }) => [id, name])),
    () => new Map(),
  );
