import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf, ProblemError } from '@sbox/core';
import { auditLineSchema, createAuditVerifier, mostExported, type AuditLine, type AuditVerifier } from '@sbox/protocol';
import * as z from 'zod/mini';
import type { OperatorClient } from '../connection.ts';
import { readText } from '../read-file.ts';

/** Keys by their ids: the first 16 hex digits of the SHA-256 of the SPKI. */
export type AuditKeys = Map<string, KeyObject>;

const entryStart = '{"kind":"entry"';
const mostPages = 100_000;

/** The log of a manager as it exports it, page by page; put together they are one export. */
export async function* exportPages(client: OperatorClient): AsyncGenerator<string> {
  let after = 0;
  for (let pages = 0; pages < mostPages; pages += 1) {
    const { bytes } = await client.audit.export({ query: { after, limit: mostExported } });
    const page = new TextDecoder().decode(bytes);
    yield page;
    const entries = page.split('\n').filter((line) => line.startsWith(entryStart));
    if (entries.length < mostExported) return;
    after = readLine(entries.at(-1) ?? '').entry?.seq ?? after;
  }
}

/** The lines of a file, one at a time: logs grow. @throws ProblemError `file.not-found`, `file.unreadable` */
export async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(file), crlfDelay: Infinity });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'file.not-found' : 'file.unreadable';
    throw new ProblemError(code, `${file}: ${messageOf(error)}`, { cause: error });
  }
}

type Read = { readonly [K in AuditLine['kind']]?: Extract<AuditLine, Record<K, unknown>>[K] };

/** What a line is; nothing when it is none of an export. */
function readLine(line: string): Read {
  try {
    const parsed = z.safeParse(auditLineSchema, JSON.parse(line));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}

/** Hands the lines of an export to a verifier; keys that stand in it go to `keys`. */
export function readInto(verifier: AuditVerifier, keys: AuditKeys): (line: string) => void {
  return (line) => {
    if (line === '') return;
    const { entry, checkpoint, key } = readLine(line);
    const known = key && readKey(key.public_key);
    if (entry) verifier.entry(entry);
    else if (checkpoint) verifier.checkpoint(checkpoint);
    else if (known && known.keyid === key?.keyid) keys.set(known.keyid, known.key);
    else verifier.malformed();
  };
}

/** A verifier that believes these keys, also those that come while it reads. */
export const createVerifier = (keys: AuditKeys): AuditVerifier =>
  createAuditVerifier({
    hashText: (text) => hash('sha256', text),
    isTrusted: (keyid) => keys.has(keyid),
    verify: (keyid, message, signature) => {
      const key = keys.get(keyid);
      return key !== undefined && verify(null, message, key, Buffer.from(signature, 'base64'));
    },
  });

function readKey(text: string): { readonly keyid: string; readonly key: KeyObject } | undefined {
  try {
    const key = text.startsWith('-----BEGIN')
      ? createPublicKey(text)
      : createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ed25519') return undefined;
    return { key, keyid: hash('sha256', key.export({ format: 'der', type: 'spki' })).slice(0, 16) };
  } catch {
    return undefined;
  }
}

/** The keys in files: PEM, base64 of SPKI, or the key lines of exports. @throws ProblemError `command.usage` */
export async function readKeyFiles(files: readonly string[], cwd: string): Promise<AuditKeys> {
  const keys: AuditKeys = new Map();
  for (const file of files) {
    const text = (await readText(path.resolve(cwd, file))).trim();
    const lines = text.split('\n').flatMap((line) => readLine(line).key?.public_key ?? []);
    const found = (lines.length > 0 ? lines : [text]).flatMap((candidate) => readKey(candidate) ?? []);
    if (found.length === 0)
      throw new ProblemError('command.usage', `${file} has no ed25519 key`, {
        fix: 'Name a PEM file, a file with base64, or an export of the audit log.',
      });
    for (const { keyid, key } of found) keys.set(keyid, key);
  }
  return keys;
}
