import { digestOf, parseDuration, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { profileKey, type EngineTarget } from '@sbox/engines/sing-box/render';
import { writeSubscription } from '@sbox/formats';
import type { ClientFormat } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { loadSources } from '../configs/inputs.ts';
import { createClientVariants } from '../configs/client-variants.ts';
import { compose, runInputs, type VersionInputs } from '../configs/rendering.ts';
import { variantFor } from '../configs/variants.ts';
import { clashProfile } from './profiles.ts';

/** What is written for programs; the page is made for each request. */
export type WrittenFormat = Exclude<ClientFormat, 'html'>;

export interface ClientAnswer {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly leftOut: number;
}

export interface AnswerQuestion {
  readonly config: { readonly id: string; readonly version: number };
  readonly format: WrittenFormat;
  /** For `sing-box`. */
  readonly target: EngineTarget;
  /** The name of the client, for settings of `user:NAME`. */
  readonly user: string;
}

export interface Answers {
  /**
   * The config of a version in a format. Clients that get the same share it, also those that ask while it is made.
   * @throws ProblemError `sub.unsupported`
   */
  of(question: AnswerQuestion): Promise<ClientAnswer>;
}

export interface AnswersDeps {
  readonly store: Pick<Store, 'configs' | 'subscriptions'>;
  /** Together; the ones that nobody asked for longest go. */
  readonly maxBytes?: number;
}

const defaultMaxBytes = 64 * 1024 * 1024;
/** Beside the bytes: failures are small. */
const maxEntries = 1000;

interface Entry {
  readonly made: Promise<ClientAnswer>;
  bytes: number;
}

export function createAnswers({ store, maxBytes = defaultMaxBytes }: AnswersDeps): Answers {
  const variantOf = createClientVariants(store);
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const drop = (key: string, entry: Entry): void => {
    if (entries.get(key) !== entry) return;
    entries.delete(key);
    bytes -= entry.bytes;
  };
  const tidy = (): void => {
    for (const [key, entry] of entries) {
      if (bytes <= maxBytes && entries.size <= maxEntries) return;
      drop(key, entry);
    }
  };
  const settle = async (key: string, entry: Entry): Promise<void> => {
    try {
      const size = (await entry.made).bytes.length;
      if (entries.get(key) !== entry) return;
      entry.bytes = size;
      bytes += size;
      tidy();
    } catch (error) {
      // A version never changes, so that what it cannot be written as, it never can; what broke is tried again.
      if (!(error instanceof ProblemError)) drop(key, entry);
    }
  };
  const begin = (key: string, question: AnswerQuestion): Entry => {
    const entry: Entry = { made: make(store, question), bytes: 0 };
    entries.set(key, entry);
    void settle(key, entry);
    tidy();
    return entry;
  };

  return {
    async of(question) {
      const key = await keyOf(question, variantOf);
      const known = entries.get(key);
      if (known) {
        // To the end of the line: the first one is the next to go.
        entries.delete(key);
        entries.set(key, known);
      }
      return await (known ?? begin(key, question)).made;
    },
  };
}

/** The same for clients that get the same. */
async function keyOf(
  { config, format, target, user }: AnswerQuestion,
  variantOf: ReturnType<typeof createClientVariants>,
): Promise<string> {
  try {
    const form = format === 'sing-box' ? profileKey(target) : format;
    return `${config.id} ${config.version} ${await variantOf(config, user)} ${form}`;
  } catch (error) {
    throw unsupported(error);
  }
}

const unsupported = (error: unknown): unknown =>
  error instanceof ProblemError ? new ProblemError('sub.unsupported', error.message, { cause: error }) : error;

async function make(
  store: AnswersDeps['store'],
  { config, format, target, user }: AnswerQuestion,
): Promise<ClientAnswer> {
  try {
    const version = await store.configs.findVersion(config.id, config.version);
    if (!version) throw new ProblemError('config.version-not-found', `version ${config.version} is gone`);
    const { inputs } = variantFor(version.inputs, { user });
    const { text, leftOut } = write(await runPipeline(store, inputs), inputs, { format, target });
    const bytes = Buffer.from(text);
    return { bytes, leftOut, etag: `"${digestOf(bytes, sha256).slice('sha256:'.length, 32)}"` };
  } catch (error) {
    throw unsupported(error);
  }
}

const runPipeline = async (store: AnswersDeps['store'], inputs: VersionInputs) =>
  runInputs(await loadSources(store, inputs), inputs);

function write(
  piped: ReturnType<typeof runInputs>,
  inputs: VersionInputs,
  { format, target }: Pick<AnswerQuestion, 'format' | 'target'>,
): { text: string; leftOut: number } {
  if (format === 'sing-box') {
    // Rule-sets stay where they are: our copies are files of servers, and a client has only this one file.
    const { text, left_out } = compose(piped, omit(inputs, 'rule_sets') as VersionInputs, target);
    return { text, leftOut: left_out.length };
  }
  const nodes = piped.nodes.map(({ node }) => node);
  const { text, tags, left_out } = writeSubscription(nodes, format);
  const { url, interval } = inputs.settings.urltest;
  const urltest = { url, interval_s: Math.max(1, Math.round((parseDuration(interval) ?? 180_000) / 1000)) };
  return {
    text: format === 'clash' ? clashProfile({ proxies: text, tags, urltest }) : text,
    leftOut: left_out.length,
  };
}
