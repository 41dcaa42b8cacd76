import { flag, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';
import { everyPage, withClient } from './remote.ts';

const itemsOf = async (client: OperatorClient) => await everyPage((query) => client.retention.show({ query }));

export const show = withClient(async (client, { out }) => {
  await out.rows(await itemsOf(client), [
    { title: 'WHAT', value: ({ kind }) => kind },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'STORED', value: ({ stored }) => stored },
    { title: 'TO REMOVE', value: ({ removable }) => removable },
    { title: 'KEPT BECAUSE', value: ({ kept }) => reasons(kept) },
  ]);
});

const reasons = (kept: Readonly<Record<string, number>>): string =>
  Object.entries(kept)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');

export const run = withClient(async (client, call) => {
  await (flag(call, 'dryRun') ? wouldRun(client, call) : removeAll(client, call));
});

async function wouldRun(client: OperatorClient, { out }: Call): Promise<void> {
  const items = (await itemsOf(client)).filter(({ removable }) => removable > 0);
  await out.rows(items, [
    { title: 'WHAT', value: ({ kind }) => kind },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'TO REMOVE', value: ({ removable }) => removable },
    { title: 'WHICH', value: ({ numbers }) => ranges(numbers) },
  ]);
  out.talk('nothing was removed: this was a dry run');
}

/** `1-7, 9`: consecutive numbers as one. */
export function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}

/** One call removes a part, so that no call takes long. */
async function removeAll(client: OperatorClient, { out, host }: Call): Promise<void> {
  const sum = { versions: 0, drafts: 0, snapshots: 0 };
  for (;;) {
    const { left, ...removed } = await client.retention.run({});
    for (const name of ['versions', 'drafts', 'snapshots'] as const) sum[name] += removed[name];
    const some = removed.versions + removed.drafts + removed.snapshots;
    if (left === 0 || some === 0) break;
    out.talk(`${counted(some, 'removal')}, ${left} left`);
    host.signal.throwIfAborted();
  }
  await out.thing(
    sum,
    () =>
      `removed ${counted(sum.versions, 'version')}, ${counted(sum.drafts, 'draft')}, ${counted(sum.snapshots, 'snapshot')}`,
  );
}
