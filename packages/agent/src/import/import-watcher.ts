import { lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { digestOf, messageOf, ProblemError, type Clock, type Digest } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import { sha256 } from '@sbox/daemon/keys';
import { watchDirectory } from '../state/watch-directory.ts';
import { createWaker } from '../sync/waker.ts';
import { readImportFile, type FileRules } from './import-file.ts';
import type { Importer } from './importer.ts';

/** Digests of plain files that were taken, by name, so that a file is taken once and not again at each outage. */
export interface TakenFiles {
  read(): Promise<Readonly<Record<string, string>>>;
  write(taken: Readonly<Record<string, string>>): Promise<void>;
}

export interface ImportWatcherDeps {
  readonly directories: readonly string[];
  readonly importer: Importer;
  readonly taken: TakenFiles;
  readonly onTaken: (file: string, detail: { readonly epoch: number; readonly generation: number }) => void;
  readonly onRefused: (file: string, problem: ProblemError) => void;
  readonly rules: Omit<FileRules, 'maxBytes'>;
  readonly maxFileBytes: number;
  readonly maxBundleBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const debounceMs = 100;
/** Also without a notice: some file systems give none, and a file may wait for the manager to be away long enough. */
const rescanMs = 10_000;
const soonestRescanMs = 200;
const isBundle = (file: string): boolean => /\.(tar|sbox)$/i.test(file);
const isConfig = (file: string): boolean => /\.(json|ya?ml)$/i.test(file);

interface Candidate {
  readonly file: string;
  /** Changes whenever the file does. */
  readonly version: string;
  readonly mtimeMs: number;
}

/** Watches directories for files to import; stops when it is disposed. A file is judged once until it changes. */
export function startImportWatcher(deps: ImportWatcherDeps): AsyncDisposable {
  const { directories, clock, log } = deps;
  const stop = new AbortController();
  const waker = createWaker(clock);
  const watches = new Map<string, Disposable>();
  const judged = new Map<string, string>();

  const watchAll = (): void => {
    for (const directory of directories) {
      if (watches.has(directory)) continue;
      const watched = watchDirectory(directory, waker.wake, () => watches.delete(directory));
      if (watched) watches.set(directory, watched);
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    // Where the agent may, it makes the directories, so that a file put there is noticed at once.
    await Promise.all(
      directories.map(async (directory) => await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => {})),
    );
    while (!signal.aborted) {
      watchAll();
      const nextMs = await scan(deps, judged, signal);
      const wasWoken = await waker.wait(nextMs, signal);
      // Many notices come for one file; one look after them is enough.
      if (wasWoken) await clock.sleep(debounceMs, signal);
    }
  };

  const running = run(stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) log.error('import watcher broke', errorFields(error));
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('stopping'));
      for (const watched of watches.values()) watched[Symbol.dispose]();
      await running;
    },
  };
}

/** Looks at every file once; answers when to look again. */
async function scan(deps: ImportWatcherDeps, judged: Map<string, string>, signal: AbortSignal): Promise<number> {
  let nextMs = rescanMs;
  const candidates = (await Promise.all(deps.directories.map(candidatesIn))).flat();
  const present = new Set(candidates.map(({ file }) => file));
  for (const file of judged.keys()) if (!present.has(file)) judged.delete(file);
  for (const candidate of candidates.toSorted((a, b) => a.mtimeMs - b.mtimeMs || a.file.localeCompare(b.file))) {
    if (judged.get(candidate.file) === candidate.version) continue;
    const waitMs = await judge(deps, candidate, signal);
    if (waitMs === undefined) judged.set(candidate.file, candidate.version);
    else nextMs = Math.min(nextMs, Math.max(waitMs, soonestRescanMs));
  }
  return nextMs;
}

async function candidatesIn(directory: string): Promise<Candidate[]> {
  const names = await readdir(directory).catch(() => []);
  const found = names
    .filter((name) => !name.startsWith('.') && (isBundle(name) || isConfig(name)))
    .map(async (name) => {
      const file = path.join(directory, name);
      const stats = await lstat(file).catch(() => undefined);
      return stats
        ? [
            {
              file,
              version: `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.mode} ${stats.uid}`,
              mtimeMs: stats.mtimeMs,
            },
          ]
        : [];
    });
  return (await Promise.all(found)).flat();
}

/** Takes or refuses one file; answers how long to wait when it is too early for either. */
async function judge(deps: ImportWatcherDeps, { file }: Candidate, signal: AbortSignal): Promise<number | undefined> {
  try {
    return isBundle(file) ? await judgeBundle(deps, file, signal) : await judgeConfig(deps, file, signal);
  } catch (error) {
    signal.throwIfAborted();
    const problem =
      error instanceof ProblemError ? error : new ProblemError('file.unreadable', messageOf(error), { cause: error });
    deps.log.warn('import refused', { file: path.basename(file), code: problem.code, error: problem.message });
    deps.onRefused(file, problem);
    return undefined;
  }
}

async function judgeBundle(deps: ImportWatcherDeps, file: string, signal: AbortSignal): Promise<number | undefined> {
  // A bundle proves itself, so it need not lie still: a half-written one does not fit its digests and changes again.
  const read = await readImportFile(
    file,
    { ...deps.rules, settleMs: 0, maxBytes: deps.maxBundleBytes },
    deps.clock,
    signal,
  );
  if (!read) return 0;
  deps.onTaken(file, await deps.importer.takeBundle(read.content));
  return undefined;
}

async function judgeConfig(deps: ImportWatcherDeps, file: string, signal: AbortSignal): Promise<number | undefined> {
  const admission = await deps.importer.admit();
  if (admission.kind === 'later') return admission.waitMs;
  if (admission.kind === 'never') throw admission.problem;
  const read = await readImportFile(file, { ...deps.rules, maxBytes: deps.maxFileBytes }, deps.clock, signal);
  if (!read) return 0;
  const mark = markOf(digestOf(read.content, sha256), read.stats.mtimeMs);
  const taken = await deps.taken.read();
  if (taken[file] === mark) return undefined;
  const manifest = await deps.importer.takeConfig(file, read.content);
  await deps.taken.write({ ...taken, [file]: mark });
  deps.onTaken(file, manifest);
  return undefined;
}

const markOf = (digest: Digest, mtimeMs: number): string => `${digest} ${mtimeMs}`;
