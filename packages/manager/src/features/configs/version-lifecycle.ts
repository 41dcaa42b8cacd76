import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { checkRevision } from '../if-match.ts';
import { refuseDenied, type PolicyJudge } from '../policies/policy-judge.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { Config } from './configs-repository.ts';
import { find, findVersion, serversOf } from './find-config.ts';
import { showVersion } from './shown-version.ts';
import type { VersionMarks } from './version-marks.ts';
import type { MadeVersion, Versions } from './versions.ts';

export interface LifecycleDeps {
  readonly store: Store;
  readonly versions: Pick<Versions, 'make'>;
  readonly clock: Clock;
  readonly queue: KeyedQueue;
  readonly judge: Pick<PolicyJudge, 'judge'>;
}

type Ref = number | string;

export interface VersionChange {
  readonly tags?: readonly string[] | undefined;
  readonly notes?: string | undefined;
}

/** What becomes of versions after they were made. */
export function lifecycleOf(deps: LifecycleDeps) {
  const { store, queue, clock } = deps;
  const alone = async <T>(id: string, work: (config: Config) => Promise<T>): Promise<T> => {
    const { id: configId } = await find(store, id);
    return await queue.run(`config ${configId}`, async () => await work(await find(store, configId)));
  };

  return {
    /** Only what is newer than the published version: config.version never goes back, so that followers never do. */
    publish: async (id: string, wanted: Ref, author: string) =>
      await alone(id, async (config) => {
        const draft = await findVersion(store, config, wanted);
        refusePublishing(config, draft);
        const findings = await judged(deps, config, draft);
        await store.transaction(async (tx) => {
          const [now, same] = [await find(tx, config.id), await findVersion(tx, config, draft.version)];
          refusePublishing(now, same);
          await tx.configs.markVersion(draft, {
            state: 'published',
            findings,
            revision: same.revision + 1,
            published_at: isoTime(clock.now()),
            published_by: author,
          });
          await tx.configs.update(config.id, { version: draft.version });
          const { version, digest } = draft;
          await tx.events.add('config.version-published', { config_id: config.id, version, digest });
        });
        return showVersion(await findVersion(store, config, draft.version));
      }),
    discard: async (id: string, wanted: Ref, ifMatch: string): Promise<void> =>
      await alone(id, async (config) => {
        await store.transaction(async (tx) => {
          const draft = await findVersion(tx, config, wanted);
          checkRevision(ifMatch, draft.revision);
          if (draft.state !== 'draft') throw published(config, draft, 'what servers may run is kept');
          await tx.configs.removeVersion(draft);
          await tx.blobs.removeUnused(isoTime(clock.now()));
          await tx.events.add('config.version-deleted', { config_id: config.id, version: draft.version });
        });
      }),
    async mark(id: string, wanted: Ref, ifMatch: string, change: VersionChange) {
      const config = await find(store, id);
      const number = await store.transaction(async (tx) => {
        const version = await findVersion(tx, config, wanted);
        checkRevision(ifMatch, version.revision);
        await writeMarks(tx, version, change);
        return version.version;
      });
      return showVersion(await findVersion(store, config, number));
    },
  };
}

const published = ({ name }: Config, { version }: ConfigVersion, why: string): ProblemError =>
  new ProblemError('config.version-published', `version ${version} of ${name} is published: ${why}`);

function refusePublishing(config: Config, draft: ConfigVersion): void {
  if (draft.state !== 'draft') throw published(config, draft, 'there is nothing to do');
  if (config.version === null || draft.version > config.version) return;
  throw new ProblemError(
    'config.version-outdated',
    `version ${config.version} of ${config.name} was published after draft ${draft.version} was made`,
  );
}

/** Hears tests and policies of today about the draft as it is stored. */
async function judged(deps: LifecycleDeps, config: Config, draft: ConfigVersion): Promise<VersionMarks['findings']> {
  const { store, versions, judge } = deps;
  const how = { testsBlock: config.tests_block };
  const made = await versions.make(draft.inputs, await serversOf(store, config.id), how);
  refuseOther(draft, made);
  const findings = await judge.judge(config, made);
  refuseDenied(
    findings,
    'It stays a draft. Mend the config and make a new one, or let who owns the policy disable it.',
  );
  return findings;
}

/** A newer sbox may render the same inputs in another way; what is published is what was looked at. */
function refuseOther(draft: ConfigVersion, { made }: MadeVersion): void {
  const isOther = made.some(({ rendition }) => {
    const known = draft.renditions.find(
      ({ profile, variant }) => profile === rendition.profile && variant === rendition.variant,
    );
    return known !== undefined && known.digest !== rendition.digest;
  });
  if (isOther)
    throw new ProblemError('config.version-outdated', `draft ${draft.version} would be rendered in another way today`);
}

/** A tag is taken from the version that had it. */
async function writeMarks(
  tx: Repositories,
  { config_id, version, revision, ...old }: ConfigVersion,
  { tags, notes }: VersionChange,
): Promise<void> {
  const wanted = tags === undefined ? old.tags : [...new Set(tags)].toSorted();
  for (const other of await tx.configs.tagged(config_id)) {
    const kept = other.tags.filter((tag) => !wanted.includes(tag));
    if (other.version === version || kept.length === other.tags.length) continue;
    const marks = { tags: kept, revision: other.revision + 1 };
    await tx.configs.markVersion({ config_id, version: other.version }, marks);
  }
  await tx.configs.markVersion(
    { config_id, version },
    { tags: wanted, notes: notes ?? old.notes, revision: revision + 1 },
  );
  const changed = [...(tags === undefined ? [] : ['tags']), ...(notes === undefined ? [] : ['notes'])];
  await tx.events.add('config.version-marked', { config_id, version, tags: [...wanted], changed });
}
