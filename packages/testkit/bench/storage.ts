// What a stored version takes after many edits of one config, in the database of a manager, and what writing and reading
// one costs. The same bytes as gzip and as zstd stand beside it.
import { stat } from 'node:fs/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createNewId, digestOf, systemClock } from '@sbox/core';
import { randomBytes, sha256, sha256Text } from '@sbox/daemon/keys';
import { composeSingBox, defaultSkeleton, fullTarget, profileKey } from '@sbox/engines/sing-box/render';
import { parseSubscription } from '@sbox/formats';
import { createStore, openDatabase, type Store } from '@sbox/manager/database';
import { configSettingsSchema } from '@sbox/protocol';
import * as z from 'zod/mini';
import { round, runBench, summarize } from '../src/bench-report.ts';
import { openTestDirectory } from '../src/index.ts';
import { createRandom } from '../src/random.ts';
import { history, subscriptionText, type State } from './storage/edits.ts';

const seed = 20_261_122;
const at = '2026-01-01T00:00:00.000Z';
const configId = 'cfg_bench';
const subscriptionId = 'sub_bench';
const settings = z.parse(configSettingsSchema, {});
const target = fullTarget;
const profile = profileKey(target);

type Insert = Parameters<Store['configs']['insertVersion']>[0];
const digest = (bytes: Uint8Array): string => digestOf(bytes, sha256);

/** A version as the manager stores it: the text, the list of its nodes, and what it was made from. */
function versionOf(state: State, number: number, snapshot: number) {
  const { nodes } = parseSubscription(Buffer.from(subscriptionText(state)), { sha256, sha256Text });
  const plain = defaultSkeleton({
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: state.port }],
  });
  const skeleton = { ...plain, route: { ...(plain['route'] as object), rules: state.rules } };
  const rendered = composeSingBox({ skeleton, nodes }, target);
  const list = rendered.nodes.map(({ tag, node_id }) => ({ tag, node_id, subscription: 'bench' }));
  const named = Buffer.from(JSON.stringify(list));
  const snapshots = [{ subscription_id: subscriptionId, version: snapshot, digest: `sha256:${snapshot}` }];
  const inputs = { engine: 'sing-box' as const, snapshots, settings, template: { name: 'own', version: 1 }, skeleton };
  const files = [{ path: 'nodes.json', digest: digest(named), size: named.length }];
  const text = Buffer.from(rendered.text);
  const counted = { profile, digest: digest(text), size: text.length, outbounds: rendered.nodes.length };
  const lists = { left_out: rendered.left_out, once: rendered.once, files };
  const rendition = { ...counted, ...lists, variant: '', differs: {} };
  const made = { author: 'bench', message: '', rollback_of: null, created_at: at };
  const row = {
    ...made,
    config_id: configId,
    version: number,
    digest: `sha256:${number}`,
    inputs,
    nodes: nodes.length,
  };
  return { row: row as unknown as Insert, rendition, text, named, inputs: Buffer.from(JSON.stringify(inputs)) };
}
type Made = ReturnType<typeof versionOf>;

async function write(store: Store, { row, rendition, text, named }: Made): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.configs.insertVersion(row);
    await tx.blobs.add(digest(named), named, { line: `nodes of ${configId}` });
    await tx.configs.insertRendition(row, rendition, text.toString());
  });
}

async function insertConfig(store: Store): Promise<void> {
  const recipe = {
    name: 'bench',
    engine: 'sing-box',
    project: 'default',
    settings: {},
    subscriptions: [],
    pipeline: [],
  };
  const rest = { template: { name: 'mixed', params: {} }, patch: [], tests: [], tests_block: true, auto_deploy: false };
  const row = { id: configId, ...recipe, ...rest, revision: 1, version: null, created_at: at, updated_at: at };
  await store.configs.insert(row as never);
}

const timed = async (run: () => Promise<void>): Promise<number> => {
  const began = performance.now();
  await run();
  return performance.now() - began;
};

const options = {
  versions: { default: 10_000, summary: 'how many versions' },
  reads: { default: 2_000, summary: 'how many of them are read again' },
};

await runBench(options, async ({ versions, reads }) => {
  await using dir = openTestDirectory('bench-storage');
  const file = dir.file('sbox.db');
  const database = await openDatabase(file);
  const deps = { db: database.db, clock: systemClock, newId: createNewId(randomBytes), published: () => {} };
  const store = createStore(deps);
  await insertConfig(store);

  const parts = { text: 0, nodes: 0, inputs: 0 };
  const gzip = { ...parts };
  const zstd = { ...parts };
  const writes: number[] = [];
  const digests: string[] = [];
  const count = (made: Made): void => {
    const all = { text: made.text, nodes: made.named, inputs: made.inputs };
    for (const part of ['text', 'nodes', 'inputs'] as const) {
      parts[part] += all[part].length;
      gzip[part] += gzipSync(all[part]).length;
      zstd[part] += zstdCompressSync(all[part]).length;
    }
  };
  let number = 0;
  for (const { state } of history(seed)) {
    if ((number += 1) > versions) break;
    const made = versionOf(state, number, number);
    count(made);
    writes.push(await timed(async () => await write(store, made)));
    digests.push(made.rendition.digest);
  }

  const random = createRandom(seed);
  const read: number[] = [];
  const readVersion: number[] = [];
  for (let turn = 0; turn < reads; turn += 1) {
    const which = Math.floor(random() * versions);
    read.push(await timed(async () => void (await store.configs.content(digests[which] ?? ''))));
    readVersion.push(await timed(async () => void (await store.configs.findVersion(configId, which + 1))));
  }
  const keyframes = await database.db
    .selectFrom('keyframes')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number>('size').as('size')])
    .executeTakeFirstOrThrow();
  const stored = await storedBytes(database.db);
  await database[Symbol.asyncDispose]();
  const fileBytes = (await stat(file)).size;

  const each = (bytes: number): number => Math.round(bytes / versions);
  const sum = (all: typeof parts): number => all.text + all.nodes + all.inputs;
  const row = (how: string, all: typeof parts, whole?: number) => ({
    'bytes of a version': how,
    text: each(all.text),
    'nodes.json': each(all.nodes),
    inputs: each(all.inputs),
    all: each(sum(all)),
    'in the file': whole === undefined ? '' : each(whole),
  });
  const [wrote, textRead, versionRead] = [summarize(writes, 2), summarize(read, 2), summarize(readVersion, 2)];
  return {
    title: `${versions} versions of one config after realistic edits, seed ${seed}`,
    rows: [
      row('as they are', parts),
      row('gzip', gzip),
      row('zstd', zstd),
      row('stored, with a share of the keyframes', stored, fileBytes),
    ],
    notes: [
      `${keyframes.count} keyframes; the file has ${round(fileBytes / 1e6)} MB with its indexes`,
      `writing a version, in a transaction: p50 ${wrote.median} ms, p99 ${wrote.p99} ms`,
      `reading a text: p50 ${textRead.median} ms, p99 ${textRead.p99} ms`,
      `reading a version with its inputs: p50 ${versionRead.median} ms, p99 ${versionRead.p99} ms`,
    ],
    peer: 'gzip and zstd of the same bytes, each by itself',
    data: {
      versions,
      plain: parts,
      gzip,
      zstd,
      stored,
      file_bytes: fileBytes,
      keyframes: keyframes.count,
      write_ms: wrote,
      read_ms: textRead,
      read_version_ms: versionRead,
    },
  };
});

/** What the contents take in their rows, each with the keyframes of its line. */
async function storedBytes(db: Awaited<ReturnType<typeof openDatabase>>['db']) {
  const sizes = { text: 0, nodes: 0, inputs: 0 };
  const tables = {
    text: ['renditions', 'content'],
    nodes: ['blobs', 'content'],
    inputs: ['config_versions', 'packed'],
  };
  for (const [part, [table = '', column = '']] of Object.entries(tables)) {
    const rows = (await db
      .selectFrom(table as 'blobs')
      .select([column as 'content', 'base'])
      .execute()) as unknown as Record<string, Uint8Array | number | null>[];
    const bases = [...new Set(rows.map(({ base }) => base as number | null))].filter((base) => base !== null);
    const keyframes = await db.selectFrom('keyframes').select('content').where('id', 'in', bases).execute();
    const own = rows.reduce((bytes, stored) => bytes + (stored[column] as Uint8Array).length, 0);
    sizes[part as keyof typeof sizes] = own + keyframes.reduce((bytes, { content }) => bytes + content.length, 0);
  }
  return sizes;
}
