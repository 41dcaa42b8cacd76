import { isoTime, toBase64, type Clock } from '@sbox/core';
import type { KeyPair } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { auditFaults, checkpointMessage, linkProblem, noHash, type AuditFault } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import { hashText } from './append-entry.ts';
import type { Head, KeptHead } from './kept-head.ts';

export interface CheckpointsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onlineKey: KeyPair;
  readonly keptHead: KeptHead;
}

export interface Checkpoints {
  /** Looks at the log that was found; done once, by the others too. */
  begin(): Promise<void>;
  /** Signs the head when a thousand entries or five minutes have come since the last time. */
  tick(): Promise<void>;
  /** Signs the head, if it is not signed. */
  sign(): Promise<void>;
  /** Where the log was found to be broken, if it was; nothing is signed from then on. */
  broken(): { readonly seq: number; readonly fault: AuditFault } | undefined;
}

const everyEntries = 1000;
const everyMs = 300_000;
const pageSize = 500;

/**
 * Signs heads of the chain by a key that is not in the database. What was signed last is remembered, and what came since
 * is checked before it is signed: a log that was changed under a running manager does not get a good signature.
 */
export function createCheckpoints({ store, clock, log, onlineKey, keptHead }: CheckpointsDeps): Checkpoints {
  let last: (Head & { readonly atMs: number }) | undefined;
  let broken: ReturnType<Checkpoints['broken']>;

  const readLast = async (): Promise<Head & { readonly atMs: number }> => {
    const [newest] = await store.audit.listCheckpoints({ limit: 1, after: undefined });
    return newest ? { ...newest, atMs: Date.parse(newest.ts) } : { seq: 0, hash: noHash, atMs: 0 };
  };
  /** What came before this process is believed as far as the head that was kept outside of the database says. */
  const begin = async (): Promise<void> => {
    if (last) return;
    last = await readLast();
    const found = await keptHead.compare(store.audit);
    if (found) await giveUp(found.seq, found.fault);
  };
  const giveUp = async (seq: number, fault: AuditFault): Promise<undefined> => {
    broken = { seq, fault };
    log.error('the audit log is broken, and is not signed any more', { seq, fault, detail: auditFaults[fault] });
    await store.events.add('audit.broken', { seq, fault });
  };
  /** The head, when everything from the last checkpoint to it follows. */
  const checkUpTo = async (from: Head, seq: number): Promise<Head | undefined> => {
    if (seq < from.seq) return await giveUp(from.seq, 'cut-off');
    let at = from;
    while (at.seq < seq) {
      const page = await store.audit.following(at.seq, pageSize);
      for (const entry of page) {
        const fault = linkProblem(entry, at, hashText);
        if (fault) return await giveUp(entry.seq, fault);
        at = entry;
      }
      if (page.length === 0) return await giveUp(at.seq + 1, 'missing');
    }
    return at;
  };

  const sign = async (): Promise<void> => {
    await begin();
    if (broken || !last) return;
    const end = (await store.audit.head())?.seq ?? 0;
    if (end === last.seq) return;
    const head = await checkUpTo(last, end);
    if (!head) return;
    const { seq, hash } = head;
    const atMs = clock.now();
    const signed = { seq, hash, ts: isoTime(atMs) };
    await store.audit.insertCheckpoint({
      ...signed,
      signature: toBase64(onlineKey.sign(checkpointMessage(signed))),
      keyid: onlineKey.keyid,
      public_key: toBase64(onlineKey.publicKey),
    });
    last = { seq, hash, atMs };
    await keptHead.keep({ seq, hash });
    // Logs are often kept elsewhere: there the head is out of reach of whoever changes the database.
    log.info('audit checkpoint', { seq, hash });
  };

  return {
    begin,
    async tick() {
      await begin();
      if (broken || !last) return;
      const waiting = ((await store.audit.head())?.seq ?? 0) - last.seq;
      if (waiting < 0 || waiting >= everyEntries || (waiting > 0 && clock.now() - last.atMs >= everyMs)) await sign();
    },
    sign,
    broken: () => broken,
  };
}
