import {
  compareGenerations,
  digestOf,
  fromBase64,
  hex,
  isoTime,
  messageOf,
  openEnvelope,
  payloadTypes,
  printGeneration,
  ProblemError,
  type Envelope,
  type Generation,
  type ProblemCode,
} from '@sbox/core';
import { X509Certificate } from 'node:crypto';
import { readJson, writeJson } from '@sbox/daemon/files';
import { readPublicKey, sha256, type PublicKey } from '@sbox/daemon/keys';
import {
  envelopeSchema,
  readManifest,
  trustSchema,
  type DeepReadonly,
  type Manifest,
  type Trust,
} from '@sbox/protocol';
import * as z from 'zod/mini';
import { statePaths } from '../identity/identity.ts';
import { isOlderVersion } from './version-order.ts';

const trustDocumentSchema = z.object({
  root_key: z.string(),
  trust: envelopeSchema,
  ca_pem: z.nullable(z.string()),
});
/** What `GET trust` answers, and what is kept of it. */
export type TrustDocument = DeepReadonly<z.output<typeof trustDocumentSchema>>;

/** A trust document that was checked against a pin. */
export interface Trusted {
  readonly document: TrustDocument;
  readonly trust: Trust;
  readonly keys: ReadonlyMap<string, PublicKey>;
}

const pinOf = (rootKey: Uint8Array): string => `sha256:${hex(sha256(rootKey))}`;

/** @throws ProblemError `manager.untrusted` for another root key, a trust document it did not sign, or another CA */
export function checkTrust(document: TrustDocument, pin: string): Trusted {
  const rootKey = fromBase64(document.root_key);
  if (!rootKey || pinOf(rootKey) !== pin) throw untrusted('its root key is not the pinned one');
  const root = readPublicKey(rootKey);
  const opened = openEnvelope(document.trust, payloadTypes.trust, {
    known: (keyid) => keyid === root.keyid,
    verify: (_keyid, message, signature) => root.verify(message, signature),
  });
  if (!opened.ok) throw untrusted(`its trust document is not signed by the root key (${opened.reason})`);
  const trust = parseJson(trustSchema, opened.body);
  if (!trust) throw untrusted('its trust document has another form than this agent knows');
  if (document.ca_pem !== null && caDigest(document.ca_pem) !== trust.ca_sha256) {
    throw untrusted('its certificate authority is not the one that the trust document names');
  }
  const keys = trust.keys.flatMap(({ public_key: publicKey }) => readKnownKey(publicKey));
  if (keys.length === 0) throw untrusted('it names no key that this agent knows how to check');
  return { document, trust, keys: new Map(keys.map((key) => [key.keyid, key])) };
}

/** A key of another kind is for newer agents. */
function readKnownKey(publicKey: string): PublicKey[] {
  try {
    return [readPublicKey(fromBase64(publicKey) ?? new Uint8Array())];
  } catch {
    return [];
  }
}

/**
 * The CA that a connection must show; null for the certificates of the system. What came in a bundle has none.
 * @throws ProblemError `manager.untrusted`
 */
export function requireCa({ document, trust }: Trusted): string | null {
  if (trust.ca_sha256 !== null && document.ca_pem === null)
    throw untrusted('it did not send its certificate authority');
  return document.ca_pem;
}

const untrusted = (detail: string): ProblemError => new ProblemError('manager.untrusted', detail);

/** SHA-256 of the certificate's DER, in hex; undefined when the text is no certificate. */
function caDigest(pem: string): string | undefined {
  try {
    return hex(sha256(new X509Certificate(pem).raw));
  } catch {
    return undefined;
  }
}

function parseJson<S extends z.ZodMiniType>(schema: S, body: Uint8Array): z.output<S> | undefined {
  const parsed = z.safeParse(schema, readJsonText(body));
  return parsed.success ? parsed.data : undefined;
}

function readJsonText(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** Undefined when the bytes are no envelope at all: then it was not the manager who answered. */
export const readEnvelope = (bytes: Uint8Array): Envelope | undefined => parseJson(envelopeSchema, bytes);

/** Undefined when the bytes are no trust document at all. */
const readTrustDocument = (value: unknown): TrustDocument | undefined => {
  const parsed = z.safeParse(trustDocumentSchema, value);
  return parsed.success ? parsed.data : undefined;
};

export interface ManifestChecks {
  readonly serverId: string;
  readonly agentVersion: string;
  readonly nowMs: number;
  /** The newest generation that was accepted before. */
  readonly accepted: Generation | null;
}

/** A manifest that was verified, and the places of it that this agent leaves alone. */
export interface OpenedManifest {
  readonly manifest: Manifest;
  readonly unsupported: readonly string[];
  /** Of the signed bytes: the same order has the same digest whatever an agent understands of it. */
  readonly digest: string;
}

/**
 * A manifest out of its envelope; nothing of it is read before its signature is verified.
 * @throws ProblemError `manifest.*`
 */
export function openManifest(envelope: Envelope, trusted: Trusted, checks: ManifestChecks): OpenedManifest {
  const { keys } = trusted;
  const opened = openEnvelope(envelope, payloadTypes.manifest, {
    known: (keyid) => keys.has(keyid),
    verify: (keyid, message, signature) => keys.get(keyid)?.verify(message, signature) ?? false,
  });
  if (!opened.ok) throw refusedEnvelope(opened.reason, envelope);
  const { manifest, unsupported } = readBody(opened.body, checks.agentVersion);
  const order = compareGenerations(manifest, checks.accepted ?? { epoch: 0, generation: 0 });
  const refuse = (code: ProblemCode, detail: string): never => {
    const { epoch, generation } = manifest;
    throw new ProblemError(code, detail, { details: { epoch, generation } });
  };
  if (manifest.server_id !== checks.serverId) refuse('manifest.wrong-server', `it is for ${manifest.server_id}`);
  if (order < 0) {
    refuse(
      'manifest.stale',
      `${printGeneration(manifest)} is older than ${printGeneration(checks.accepted ?? manifest)}`,
    );
  }
  // What was accepted stays good for ever: expiry only keeps an old manifest from being brought out again.
  if (order > 0 && manifest.not_after !== null && Date.parse(manifest.not_after) < checks.nowMs) {
    refuse('manifest.expired', `it was good until ${manifest.not_after}, now is ${isoTime(checks.nowMs)}`);
  }
  return { manifest, unsupported, digest: digestOf(opened.body, sha256) };
}

function refusedEnvelope(reason: 'type' | 'unknown-key' | 'signature', { signatures }: Envelope): ProblemError {
  if (reason !== 'unknown-key') return new ProblemError('manifest.signature-invalid', `the ${reason} is not right`);
  return new ProblemError('manifest.unknown-key', `signed by ${signatures.map(({ keyid }) => keyid).join(', ')}`);
}

const headSchema = z.object({ epoch: z.int(), generation: z.int(), min_agent: z.string() });

/** A signed manifest of a newer form says in `min_agent` what could read it, so the answer is more than "invalid". */
function readBody(body: Uint8Array, agentVersion: string): Omit<OpenedManifest, 'digest'> {
  const value = readJsonText(body);
  const head = z.safeParse(headSchema, value).data;
  const refuse = (code: ProblemCode, detail: string): never => {
    const { epoch = 0, generation = 0 } = head ?? {};
    throw new ProblemError(code, detail, head ? { details: { epoch, generation } } : {});
  };
  if (head && isOlderVersion(agentVersion, head.min_agent))
    refuse('manifest.agent-too-old', `it needs agent ${head.min_agent}, this is ${agentVersion}`);
  const reading = readManifest(value);
  if (reading.ok) return reading;
  if (reading.reason === 'features') return refuse('manifest.agent-too-old', reading.detail);
  return refuse('manifest.invalid', `it has a form that this agent does not know: ${reading.detail}`);
}

/** The pin is in the identity: what is lost of the rest can be asked for again. */
export const refetchTrust = 'Fetch it again, checked against the pin: sboxagent rescue --yes';

/** Undefined on a server that trusts nobody yet. @throws ProblemError `manager.untrusted` when the file was changed. */
export async function readTrust(stateDir: string, pin: string): Promise<Trusted | undefined> {
  const file = statePaths(stateDir).trust;
  const damaged = (why: string, cause?: unknown): ProblemError =>
    new ProblemError('manager.untrusted', `${file} is damaged: ${why}`, { fix: refetchTrust, cause });
  const found = await readJson(file).catch((error: unknown) => {
    throw damaged('it cannot be read', error);
  });
  if (found === undefined) return undefined;
  const document = readTrustDocument(found);
  if (!document) throw damaged('it is no trust document');
  try {
    return checkTrust(document, pin);
  } catch (error) {
    throw damaged(messageOf(error), error);
  }
}

export const writeTrust = async (stateDir: string, { document }: Trusted): Promise<void> => {
  await writeJson(statePaths(stateDir).trust, document);
};
