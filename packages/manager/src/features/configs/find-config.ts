import { ProblemError } from '@sbox/core';
import type { Repositories } from '../../database/store.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { Config } from './configs-repository.ts';

type Found = Pick<Repositories, 'configs'>;

export async function find({ configs }: Pick<Repositories, 'configs'>, id: string): Promise<Config> {
  const config = await configs.find(id);
  if (!config) throw new ProblemError('config.not-found', `config ${id}`);
  return config;
}

/** Ids of the servers that were sent the config. */
export const serversOf = async ({ servers }: Pick<Repositories, 'servers'>, configId: string): Promise<string[]> =>
  (await servers.assignments({ configId })).map(({ server_id }) => server_id);

/** A version by its number, as a number or as text, or by its tag. @throws ProblemError `config.version-not-found`, `config.version-removed` */
export async function findVersion(
  { configs }: Found,
  { id, name }: Pick<Config, 'id' | 'name'>,
  wanted: number | string,
): Promise<ConfigVersion> {
  const isNumber = typeof wanted === 'number' || /^\d+$/.test(wanted);
  const number = isNumber ? Number(wanted) : await numberOf({ configs }, id, wanted);
  const version = number === undefined ? undefined : await configs.findVersion(id, number);
  if (version) return version;
  const removed_at = number === undefined ? undefined : await configs.removedAt(id, number);
  if (removed_at !== undefined)
    throw new ProblemError('config.version-removed', `version ${number} of ${name} was removed at ${removed_at}`, {
      details: { removed_at },
    });
  const what = isNumber ? `version ${wanted}` : `version that is tagged ${wanted}`;
  throw new ProblemError(
    'config.version-not-found',
    number === 0 ? `${name} has no version yet` : `${name} has no ${what}`,
  );
}

async function numberOf({ configs }: Found, configId: string, tag: string): Promise<number | undefined> {
  return (await configs.tagged(configId)).find(({ tags }) => tags.includes(tag))?.version;
}

/** The same, of what servers may be given. @throws ProblemError `config.version-draft` */
export async function findPublished(
  store: Found,
  config: Pick<Config, 'id' | 'name'>,
  wanted: number | string,
): Promise<ConfigVersion> {
  const version = await findVersion(store, config, wanted);
  if (version.state === 'published') return version;
  throw new ProblemError('config.version-draft', `version ${version.version} of ${config.name} is a draft`, {
    fix: `Publish it first: sboxmgr config publish ${config.name} ${version.version}`,
  });
}

const atOnce = 20;

/** The newest version that was published before this one; 0 for none. */
export async function publishedBefore({ configs }: Found, { config_id, version }: ConfigVersion): Promise<number> {
  let after: number | undefined = version;
  while (after !== undefined) {
    const older: readonly ConfigVersion[] = await configs.listVersions(config_id, { limit: atOnce, after: [after] });
    const found = older.find(({ state }) => state === 'published');
    if (found) return found.version;
    after = older.length > atOnce ? older.at(-1)?.version : undefined;
  }
  return 0;
}
