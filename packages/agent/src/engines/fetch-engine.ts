import { messageOf, ProblemError } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { EngineBuild } from '@sbox/protocol';
import type { BlobSource, ContentStream } from '../order.ts';
import type { Disk } from '../state/disk.ts';
import { download, partOf } from '../state/download.ts';
import type { LargeFiles } from '../state/large-files.ts';
import { createEnginePlace, type EnginePlace } from './engine-places.ts';

export interface FetchEngineDeps {
  /** Directories and web addresses that are asked before the manager. */
  readonly sources: readonly string[];
  readonly disk: Disk;
  readonly files: LargeFiles;
  readonly log: Logger;
  /** For all of a program from one of the places; five minutes by default. */
  readonly placeMs?: number;
}

export interface WantedEngine {
  readonly build: EngineBuild;
  /** Where it is to lie. */
  readonly file: string;
  readonly blobs: BlobSource;
  readonly signal: AbortSignal;
}

/** Gets a program from the first place that has it, else from who gave the order. @throws ProblemError `blob.*`, `disk.full` */
export type FetchEngine = (wanted: WantedEngine) => Promise<void>;

/** A place that drips must not take the time of the next one, which may go on where it was cut off. */
const defaultPlaceMs = 300_000;

export function createFetchEngine(deps: FetchEngineDeps): FetchEngine {
  const { sources, disk, files, log, placeMs = defaultPlaceMs } = deps;
  const places = sources.map((source) => createEnginePlace(source, files));
  const tell = ({ version, digest }: EngineBuild, from: string): void =>
    log.info('An engine was fetched', { version, digest, from });

  const takeFrom = async (place: EnginePlace, { build, file, signal }: WantedEngine): Promise<boolean> => {
    const { digest, size } = build;
    const done = new AbortController();
    const limit = AbortSignal.any([signal, done.signal, AbortSignal.timeout(placeMs)]);
    try {
      const stream = await place.open(build, limit);
      if (stream === undefined) return false;
      const open = async () => await Promise.resolve(stream);
      // Not where the manager's unfinished download lies: whatever this place has, that one goes on.
      const job = { digest, size, file, part: partOf(`${file}.place`), mode: 0o700, isResumable: false };
      await download({ disk, files }, { ...job, open, signal: limit });
      tell(build, place.name);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ProblemError && error.code === 'disk.full') throw error;
      log.warn('An engine could not be taken from there', { from: place.name, error: messageOf(error) });
      return false;
    } finally {
      // What it was sending and nobody read would hold a connection open.
      done.abort();
    }
  };

  return async (wanted) => {
    for (const place of places) if (await takeFrom(place, wanted)) return;
    const { build, file, blobs, signal } = wanted;
    const { digest, size } = build;
    const open = async (offset: number, stop: AbortSignal): Promise<ContentStream> =>
      (await blobs.open?.(digest, offset, stop)) ?? whole(await blobs.fetch(digest, size, stop));
    await download({ disk, files }, { digest, size, file, mode: 0o700, isResumable: true, open, signal });
    tell(build, 'manager');
  };
}

const whole = (bytes: Uint8Array): ContentStream => ({
  offset: 0,
  // oxlint-disable-next-line require-await
  chunks: (async function* all() {
    yield bytes;
  })(),
});
