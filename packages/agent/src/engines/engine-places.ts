import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import type { EngineBuild } from '@sbox/protocol';
import request from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { ContentStream } from '../order.ts';
import type { LargeFiles } from '../state/large-files.ts';

/** A directory or a web address where engine programs lie, whoever put them there: the digest decides. */
export interface EnginePlace {
  /** As the settings have it. */
  readonly name: string;
  /** Undefined when it has no such build. @throws ProblemError `blob.fetch-failed` */
  open(build: EngineBuild, signal: AbortSignal): Promise<ContentStream | undefined>;
}

const namesOf = ({ digest, version, arch }: EngineBuild): string[] => [
  digest.slice('sha256:'.length),
  `sing-box-${version}-${arch}`,
];

/** `source` is an absolute directory, or an http(s) address below which the files are. */
export const createEnginePlace = (source: string, files: LargeFiles): EnginePlace =>
  /^https?:/.test(source) ? createWebPlace(source) : createDirectoryPlace(source, files);

const createDirectoryPlace = (directory: string, files: LargeFiles): EnginePlace => ({
  name: directory,
  async open(build) {
    for (const name of namesOf(build)) {
      const file = path.join(directory, name);
      // Another size is another program: not worth reading.
      if ((await files.facts(file))?.size === build.size) return { offset: 0, chunks: files.read(file) };
    }
    return undefined;
  },
});

const timeouts = { headersTimeout: 10_000, bodyTimeout: 30_000 } as const;
const connectTimeoutMs = 10_000;

function createWebPlace(base: string): EnginePlace {
  return {
    name: base,
    async open(build, signal) {
      const address = new URL(base.endsWith('/') ? base : `${base}/`);
      const pool = new Pool(address.origin, { connections: 1, allowH2: false, connect: { timeout: connectTimeoutMs } });
      try {
        for (const name of namesOf(build)) {
          const wanted = `${address.pathname}${name}${address.search}`;
          const answer = await request.call(pool, { method: 'GET', path: wanted, signal, ...timeouts });
          if (answer.statusCode === 200) return { offset: 0, chunks: closing(pool, answer.body) };
          await answer.body.dump();
        }
      } catch (error) {
        await pool.destroy();
        signal.throwIfAborted();
        throw new ProblemError('blob.fetch-failed', `${address.origin}: ${messageOf(error)}`, { cause: error });
      }
      await pool.destroy();
      return undefined;
    },
  };
}

async function* closing(pool: InstanceType<typeof Pool>, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw new ProblemError('blob.fetch-failed', messageOf(error), { cause: error });
  } finally {
    await pool.destroy();
  }
}
