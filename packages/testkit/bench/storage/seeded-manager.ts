// A data directory with a config that has some real versions, made through the API of a manager that has ended again.
import type { TestDirectory } from '../../src/index.ts';
import { startManagerProcess, type ManagerProcess } from '../../src/index.ts';
import { history, subscriptionText } from './edits.ts';

export const managerSettings = { LIMITS_TOKEN: '100000000', LOG_LEVEL: 'warn' };
export const configName = 'bench';

const linksOf = (turn: number): string => {
  let at = 0;
  for (const { state } of history(7)) if ((at += 1) > turn) return subscriptionText(state);
  return '';
};

async function makeVersions({ client }: ManagerProcess, versions: number): Promise<string> {
  await client.subscriptions.add({ body: { name: 'provider', source: { type: 'inline', text: linksOf(0) } } });
  const { id } = await client.configs.create({ body: { name: configName, subscriptions: ['provider'] } });
  for (let turn = 1; turn < versions; turn += 1) {
    await client.subscriptions.update({
      params: { id: 'provider' },
      headers: { 'if-match': '*' },
      body: { source: { type: 'inline', text: linksOf(turn) } },
    });
    await client.subscriptions.refresh({ params: { id: 'provider' } });
    await client.configs.generate({ params: { id: configName }, body: {} });
  }
  return id;
}

export interface Seeded {
  readonly dir: string;
  readonly file: string;
  readonly configId: string;
}

export async function seedManager(directory: TestDirectory, name: string, versions: number): Promise<Seeded> {
  const dir = directory.file(name);
  await using manager = await startManagerProcess({ dir, settings: managerSettings });
  const configId = await makeVersions(manager, versions);
  return { dir, file: `${dir}/sbox.db`, configId };
}
