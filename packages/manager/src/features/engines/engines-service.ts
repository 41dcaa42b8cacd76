import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { maxEngineBytes } from '@sbox/protocol';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { EngineFiles, ReceivedProgram } from './engine-files.ts';
import type { StoredBuild } from './engines-repository.ts';

export interface EnginesDeps {
  readonly store: Store;
  readonly files: EngineFiles;
  readonly clock: Clock;
  readonly queue: KeyedQueue;
}

export interface AddEngine {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Said by who adds it; they win over what the program says. */
  readonly version?: string | undefined;
  readonly tags?: string | undefined;
  readonly author: string;
}

export type EnginesService = ReturnType<typeof createEnginesService>;

const moduleName = 'github.com/sagernet/sing-box';

/** Programs that servers can be given. */
export function createEnginesService({ store, files, clock, queue }: EnginesDeps) {
  /** A row and its file come and go together, however many ask for it at once. */
  const alone = async <T>(work: () => Promise<T>): Promise<T> => await queue.run('engines', work);
  const show = async (builds: readonly StoredBuild[]) => {
    const users = await store.engines.users([...new Set(builds.map(({ version }) => version))]);
    return builds.map((build) => ({ ...build, servers: users.get(build.version) ?? [] }));
  };
  const showOne = async (build: StoredBuild) => {
    const [shown] = await show([build]);
    return shown as NonNullable<typeof shown>;
  };

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.engines.list(page), page.limit, ({ digest }) => [digest]);
      return { items: await show(items), next_cursor };
    },
    async add({ bytes, author, ...said }: AddEngine) {
      await using program = await files.receive(bytes, maxEngineBytes);
      return await alone(async () => {
        const { digest, size } = program;
        const known = await store.engines.find(digest);
        if (known) {
          // Its file may be what was lost.
          await program.keep();
          return await showOne(known);
        }
        const made = {
          digest,
          kind: 'sing-box',
          size,
          author,
          created_at: isoTime(clock.now()),
          ...describe(program, said),
        };
        await refuseDouble(store, made);
        await program.keep();
        await store.transaction(async (tx) => {
          await tx.engines.insert(made);
          await tx.events.add('engine.added', eventOf(made));
        });
        return await showOne(made);
      });
    },
    async remove(digest: string): Promise<void> {
      await alone(async () => {
        await store.transaction(async (tx) => await removeUnused(tx, digest));
        await files.remove(digest);
      });
    },
    /** For who is given it; undefined when it is not here. */
    async piece(digest: string, offset: number, length: number): Promise<Uint8Array | undefined> {
      return await files.read(digest, offset, length);
    },
    /** All of it, for a bundle. @throws ProblemError `engine.build-not-found` */
    async content(digest: string): Promise<Uint8Array> {
      const build = await store.engines.find(digest);
      const bytes = build && (await files.read(digest, 0, build.size));
      if (bytes === undefined || bytes.length !== build?.size)
        throw new ProblemError('engine.build-not-found', `the engine ${digest} is not kept any more`);
      return bytes;
    },
    find: async (digest: string) => await store.engines.find(digest),
  };
}

const eventOf = ({ digest, version, arch }: StoredBuild) => ({ digest, version, arch });

/** @throws ProblemError `engine.unsupported`, `request.invalid` where neither the program nor the caller says it */
function describe(
  { facts }: ReceivedProgram,
  said: Pick<AddEngine, 'version' | 'tags'>,
): Pick<StoredBuild, 'version' | 'arch' | 'tags'> {
  const { arch, os, module } = facts;
  if (arch === undefined)
    throw new ProblemError('engine.unsupported', 'it is no ELF program for a machine that is known here');
  if (os !== undefined && os !== 'linux') throw new ProblemError('engine.unsupported', `it is a program for ${os}`);
  if (module !== undefined && module !== moduleName)
    throw new ProblemError('engine.unsupported', `it is ${module}, not sing-box`);
  const version = said.version ?? facts.version;
  if (version === undefined)
    throw new ProblemError('request.invalid', 'the program does not say its version', { fix: 'Give it: --as 1.14.4' });
  const tags = said.tags?.split(',').filter(Boolean) ?? facts.tags;
  if (tags === undefined)
    throw new ProblemError('request.invalid', 'the program does not say its build tags', {
      fix: 'Give them: --tags with_quic,with_clash_api',
    });
  return { version, arch, tags };
}

/** @throws ProblemError `engine.build-not-found`, `engine.in-use` */
async function removeUnused(tx: Repositories, digest: string): Promise<void> {
  const build = await tx.engines.find(digest);
  if (!build) throw new ProblemError('engine.build-not-found', digest);
  const assigned = (await tx.engines.users([build.version])).get(build.version) ?? [];
  // Servers of a later batch get it only when their turn comes.
  const due = (await tx.deployments.running()).filter(({ engine }) => engine === build.version);
  const waiting = due.flatMap(({ servers }) => servers.map(({ name }) => name));
  const given = new Set([...assigned, ...waiting]);
  const servers = [...new Set([...given, ...(await tx.engines.namedBy(digest))])];
  if (servers.length > 0) {
    const detail = [
      ...(given.size > 0 ? [`${counted(given.size)} given it`] : []),
      ...(servers.length > given.size
        ? [`${counted(servers.length - given.size)} not given it now, but may go back to it`]
        : []),
    ].join('; ');
    throw new ProblemError('engine.in-use', detail, { details: { servers: servers.slice(0, 100) } });
  }
  await tx.engines.remove(digest);
  await tx.events.add('engine.removed', eventOf(build));
}

const counted = (count: number): string => (count === 1 ? '1 server is' : `${count} servers are`);

async function refuseDouble(
  { engines }: Pick<Store, 'engines'>,
  { version, arch, digest }: StoredBuild,
): Promise<void> {
  const other = (await engines.ofVersion(version)).find((build) => build.arch === arch && build.digest !== digest);
  if (!other) return;
  throw new ProblemError('engine.exists', `sing-box ${version} for ${arch} is ${other.digest}`);
}
