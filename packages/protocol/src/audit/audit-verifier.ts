import {
  checkpointMessage,
  linkProblem,
  noHash,
  type AuditCheckpoint,
  type AuditEntry,
  type AuditFault,
  type HashText,
} from './audit-chain.ts';

export interface AuditVerifierTools {
  readonly hashText: HashText;
  /** Whether a key of this id is trusted. */
  readonly isTrusted: (keyid: string) => boolean;
  /** Asked only for keys that are trusted. */
  readonly verify: (keyid: string, message: Uint8Array, signature: string) => boolean;
}

export interface AuditVerdict {
  readonly ok: boolean;
  /** Numbers of the first and the last entry; 0 when there is none. */
  readonly first: number;
  readonly last: number;
  /** Checkpoints that hold, and the last entry that one of them proves. */
  readonly checkpoints: number;
  readonly signed_to: number;
  /** Ids of keys that signed checkpoints, but are not trusted: these prove nothing. */
  readonly unknown_keys: readonly string[];
  /** The first place that does not hold. */
  readonly broken: { readonly seq: number; readonly fault: AuditFault } | null;
}

export interface AuditVerifier {
  /**
   * What follows is another export of the log, newer than those before: it has to be whole by itself, to begin where they
   * begin, to say the same of what they have, and to go as far.
   */
  nextExport(): void;
  /** Entries come by number. */
  entry(entry: AuditEntry): void;
  checkpoint(checkpoint: AuditCheckpoint): void;
  /** Something that is neither. */
  malformed(): void;
  verdict(): AuditVerdict;
}

/** Checks a log as it is read; keeps the hashes and the checkpoints only. */
export function createAuditVerifier({ hashText, isTrusted, verify }: AuditVerifierTools): AuditVerifier {
  const hashes: string[] = [];
  const checkpoints: AuditCheckpoint[] = [];
  let start: { readonly seq: number; readonly hash: string } | undefined;
  let last = { seq: 0, hash: noHash };
  /** Where this export is; undefined before its first entry. */
  let at: { readonly seq: number; readonly hash: string } | undefined;
  let broken: AuditVerdict['broken'] = null;

  const breakAt = (seq: number, fault: AuditFault): void => {
    if (broken === null || seq < broken.seq) broken = { seq, fault };
  };
  const hashAt = (seq: number): string | undefined => hashes[seq - (start?.seq ?? 0) - 1];
  const isGood = ({ keyid, signature, ...head }: AuditCheckpoint): boolean =>
    verify(keyid, checkpointMessage(head), signature);

  return {
    entry(entry) {
      // Where the first export may begin is decided by checkpoints, at the end; the others begin there too.
      start ??= last = { seq: entry.seq - 1, hash: entry.prev };
      at ??= start;
      const fault = linkProblem(entry, at, hashText);
      // Behind a gap hashes stand at wrong places, and whatever that finds is behind this.
      if (fault) breakAt(fault === 'missing' ? at.seq + 1 : entry.seq, fault);
      at = { seq: entry.seq, hash: entry.hash };
      if (entry.seq > last.seq) {
        hashes.push(entry.hash);
        last = at;
      } else if (!fault && hashAt(entry.seq) !== entry.hash) breakAt(entry.seq, 'rewritten');
    },
    nextExport: () => (at = undefined),
    checkpoint: (checkpoint) => void checkpoints.push(checkpoint),
    malformed: () => breakAt(last.seq + 1, 'malformed'),
    verdict() {
      const trusted = checkpoints.filter(({ keyid }) => isTrusted(keyid));
      const holding = new Set<number>();
      let signedTo = 0;
      const begin = start ?? last;
      let isAnchored = begin.seq === 0 && begin.hash === noHash;
      for (const checkpoint of trusted) {
        const { seq, hash } = checkpoint;
        const isStart = seq === begin.seq && hash === begin.hash;
        if (!isGood(checkpoint)) breakAt(seq, 'bad-signature');
        else if (isStart) isAnchored = true;
        else if (seq > last.seq) breakAt(seq, 'cut-off');
        else if (seq > begin.seq && hashAt(seq) !== hash) breakAt(seq, 'rewritten');
        else if (seq > begin.seq) {
          holding.add(seq);
          signedTo = Math.max(signedTo, seq);
        }
      }
      // The newest export has to have what the older ones have.
      if (start !== undefined && (at?.seq ?? 0) < last.seq) breakAt((at?.seq ?? begin.seq) + 1, 'cut-off');
      if (!isAnchored) breakAt(begin.seq + 1, 'no-start');
      const strangers = checkpoints.flatMap(({ keyid }) => (isTrusted(keyid) ? [] : [keyid]));
      return {
        ok: broken === null,
        first: hashes.length === 0 ? 0 : begin.seq + 1,
        last: last.seq,
        checkpoints: holding.size,
        signed_to: signedTo,
        unknown_keys: [...new Set(strangers)],
        broken,
      };
    },
  };
}
