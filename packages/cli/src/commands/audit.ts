import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { isoTime, messageOf, parseDuration, ProblemError } from '@sbox/core';
import { auditFaults, type AuditVerdict } from '@sbox/protocol';
import { arg, text, texts, wholeNumber, type Call } from '../command.ts';
import { connect } from '../connection.ts';
import { counted } from '../counted.ts';
import { createVerifier, exportPages, linesOf, readInto, readKeyFiles, type AuditKeys } from './audit-log.ts';
import { age, withClient } from './remote.ts';

const results = ['ok', 'denied', 'failed'] as const;

export const list = withClient(async (client, call) => {
  const { host, out } = call;
  const result = text(call, 'result');
  const known = results.find((word) => word === result);
  if (result !== undefined && known === undefined)
    throw new ProblemError('command.usage', `--result is "${result}", not one of ${results.join(', ')}`);
  const { items, names } = await client.audit.list({
    query: {
      limit: wholeNumber('--limit', text(call, 'limit') ?? '50', { max: 1000 }),
      actor: text(call, 'actor'),
      action: text(call, 'action'),
      result: known,
      since: timeOf(call, 'since'),
      until: timeOf(call, 'until'),
    },
  });
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'NUMBER', value: ({ seq }) => seq },
    { title: 'WHEN', value: ({ ts }) => `${age(ts, now)} ago` },
    { title: 'WHO', value: ({ actor_name }) => actor_name },
    { title: 'FROM', value: ({ ip }) => ip || null },
    { title: 'ACTION', value: ({ action }) => action },
    { title: 'OBJECT', value: (entry) => objectOf(entry.object, (id) => names[id] ?? id) || nameMade(entry) },
    { title: 'RESULT', value: (entry) => entry.code ?? entry.result },
    { title: 'CHANGE', value: ({ change }) => change.map(({ type }) => type).join(' ') },
    { title: 'OBJECT ID', value: ({ object }) => objectOf(object, String), isWide: true },
  ]);
});

/** What is made stands in no address, but in what happened. */
function nameMade({
  change: [first],
}: {
  readonly change: readonly { readonly data: Readonly<Record<string, unknown>> }[];
}) {
  const name = first?.data['name'];
  return typeof name === 'string' ? name : '';
}

/** What was acted upon, in the words of its address. */
const objectOf = (object: Readonly<Record<string, unknown>>, nameOf: (id: string) => string): string =>
  Object.values(object)
    .map((value) => nameOf(String(value)))
    .join(' ');

/** A time as it is typed, or a duration back from now. */
function timeOf(call: Call, name: 'since' | 'until'): string | undefined {
  const typed = text(call, name);
  if (typed === undefined) return undefined;
  const agoMs = parseDuration(typed);
  const atMs = agoMs === undefined ? Date.parse(typed) : call.host.clock.now() - agoMs;
  if (Number.isFinite(atMs)) return isoTime(atMs);
  throw new ProblemError('command.usage', `--${name} is "${typed}", neither a time nor a duration`, {
    fix: `--${name} 2026-01-31T00:00:00Z   ·   --${name} 24h`,
  });
}

export const show = withClient(async (client, call) => {
  await call.out.thing(await client.audit.get({ params: { seq: wholeNumber('the number', arg(call, 0)) } }));
});

export const checkpoints = withClient(async (client, call) => {
  const limit = wholeNumber('--limit', text(call, 'limit') ?? '50', { max: 1000 });
  const { items } = await client.audit.checkpoints({ query: { limit } });
  const now = call.host.clock.now();
  await call.out.rows(items, [
    { title: 'NUMBER', value: ({ seq }) => seq },
    { title: 'WHEN', value: ({ ts }) => `${age(ts, now)} ago` },
    { title: 'HASH', value: ({ hash }) => hash },
    { title: 'KEY', value: ({ keyid }) => keyid },
  ]);
});

export const save = withClient(async (client, call) => {
  const file = text(call, 'file') ?? '-';
  if (file === '-') {
    for await (const page of exportPages(client)) call.out.raw(page);
    return;
  }
  await writePages(path.resolve(call.host.cwd, file), exportPages(client));
  call.out.talk(`${file} is written; sboxmgr audit verify ${file} checks it.`);
});

/** Whole or not at all, and never all of it in memory. */
async function writePages(target: string, pages: AsyncIterable<string>): Promise<void> {
  const draft = `${target}.tmp`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      for await (const page of pages) await handle.appendFile(page);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('command.failed', `${target} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}

export const verify = async (call: Call): Promise<number> => {
  const { cwd } = call.host;
  const given = texts(call, 'key');
  const trusted = await readKeyFiles(given, cwd);
  const found: AuditKeys = new Map();
  const keys = given.length > 0 ? trusted : found;
  const verifier = createVerifier(keys);
  const read = readInto(verifier, found);
  let doubt: string | undefined;
  for (const file of [...texts(call, 'kept'), ...call.args]) {
    verifier.nextExport();
    for await (const line of linesOf(path.resolve(cwd, file))) read(line);
  }
  if (call.args.length === 0) {
    verifier.nextExport();
    doubt = await readManager(call, read);
  }
  const verdict = verifier.verdict();
  // Who names a key wants to see it prove something.
  const isProved = given.length === 0 || verdict.last === 0 || verdict.checkpoints > 0;
  const ok = verdict.ok && isProved && doubt === undefined;
  const shown = { ...verdict, ok, keys: [...keys.keys()], unsigned: verdict.last - verdict.signed_to };
  await call.out.thing(shown, () => printVerdict(verdict, { isProved, keyids: [...keys.keys()] }));
  if (doubt !== undefined) call.out.talk(`the manager itself holds the log for broken: ${doubt}`);
  if (ok && given.length === 0)
    call.out.talk(
      'The keys came with the log. --key FILE with a key that you kept proves that it is the log of your manager.',
    );
  return ok ? 0 : 1;
};

/** @returns what the manager found wrong with its log, also by the head that it keeps outside of the database */
async function readManager(call: Call, read: (line: string) => void): Promise<string | undefined> {
  await using connection = await connect(call);
  const { client } = connection;
  for await (const page of exportPages(client)) for (const line of page.split('\n')) read(line);
  const { checks } = await client.system.health().catch(withoutPermission);
  return checks.find(({ name, ok }) => name === 'audit' && !ok)?.detail;
}

/** Who may read the log need not be somebody who may see the state of the manager. */
function withoutPermission(error: unknown): { readonly checks: never[] } {
  if (error instanceof ProblemError && error.code === 'auth.forbidden') return { checks: [] };
  throw error;
}

function printVerdict(
  { broken, first, last, checkpoints: proofs, signed_to: signedTo, unknown_keys: unknown }: AuditVerdict,
  { isProved, keyids }: { readonly isProved: boolean; readonly keyids: readonly string[] },
): string {
  const strangers = unknown.length === 0 ? [] : [`signed by keys that are not trusted: ${unknown.join(', ')}`];
  if (broken) return [`broken at entry ${broken.seq}: ${auditFaults[broken.fault]}`, ...strangers].join('\n');
  if (last === 0) return 'the log is empty';
  const signed =
    proofs === 0
      ? 'no checkpoint proves any of it'
      : `proved up to entry ${signedTo} by ${counted(proofs, 'checkpoint')} of ${keyids.join(', ')}`;
  const unsigned = signedTo === last || proofs === 0 ? [] : [`not signed yet: the last ${last - signedTo}`];
  const holds = isProved ? `holds: entries ${first} to ${last}` : `not proved: entries ${first} to ${last}`;
  return [holds, signed, ...unsigned, ...strangers].join('\n');
}
