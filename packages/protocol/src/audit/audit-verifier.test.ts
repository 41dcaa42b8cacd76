import { hash, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  chainAuditEntry,
  checkpointMessage,
  noHash,
  type AuditCheckpoint,
  type AuditContent,
  type AuditEntry,
} from './audit-chain.ts';
import { createAuditVerifier, type AuditVerdict } from './audit-verifier.ts';
import { canonicalJson } from './canonical-json.ts';

const hashText = (text: string): string => hash('sha256', text);
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const keyid = 'a'.repeat(16);

const signed = ({ seq, hash: of }: Pick<AuditEntry, 'seq' | 'hash'>): AuditCheckpoint => {
  const head = { seq, hash: of, ts: '2026-01-01T00:00:00.000Z' };
  return { ...head, keyid, signature: sign(null, checkpointMessage(head), privateKey).toString('base64') };
};

interface Log {
  readonly entries: readonly AuditEntry[];
  readonly checkpoints: readonly AuditCheckpoint[];
}

function check(...exports: readonly Log[]): AuditVerdict {
  const verifier = createAuditVerifier({
    hashText,
    isTrusted: (id) => id === keyid,
    verify: (_, message, signature) => verify(null, message, publicKey, Buffer.from(signature, 'base64')),
  });
  for (const { entries, checkpoints } of exports) {
    verifier.nextExport();
    for (const entry of entries) verifier.entry(entry);
    for (const checkpoint of checkpoints) verifier.checkpoint(checkpoint);
  }
  return verifier.verdict();
}

type Said = Pick<AuditContent, 'actor_name' | 'action' | 'result' | 'object' | 'change'>;

function chain(said: readonly Said[]): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (const [index, words] of said.entries()) {
    const content: AuditContent = {
      v: 1,
      seq: index + 1,
      ts: '2026-01-01T00:00:00.000Z',
      actor_type: 'token',
      actor_id: 'tok_1',
      token_id: 'tok_1',
      ip: '192.0.2.1',
      request_id: 'req_1',
      code: null,
      ...words,
    };
    entries.push(chainAuditEntry(entries.at(-1)?.hash ?? noHash, content, hashText));
  }
  return entries;
}

const small = fc.jsonValue({ maxDepth: 1 });
const saidOnce: fc.Arbitrary<Said> = fc.record({
  actor_name: fc.string({ unit: 'binary' }),
  action: fc.string(),
  result: fc.constantFrom('ok', 'denied', 'failed'),
  object: fc.dictionary(fc.string(), fc.string(), { maxKeys: 2 }),
  change: fc.array(fc.record({ type: fc.string(), data: fc.dictionary(fc.string(), small, { maxKeys: 2 }) }), {
    maxLength: 2,
  }),
});

/** A whole log, a place in it that a checkpoint proves, and one before the end of what is proved. */
const logs = fc
  .array(saidOnce, { minLength: 2, maxLength: 8 })
  .chain((said) => fc.tuple(fc.constant(said), fc.integer({ min: 2, max: said.length })))
  .chain(([said, head]) => fc.tuple(fc.constant(said), fc.constant(head), fc.integer({ min: 1, max: head })))
  .map(([said, head, seq]) => {
    const entries = JSON.parse(JSON.stringify(chain(said))) as AuditEntry[];
    return { said, head, seq, log: { entries, checkpoints: [signed(entries[head - 1] as AuditEntry)] } };
  });

describe('a log', () => {
  test('as it was written holds, and says how far it is signed', () => {
    fc.assert(
      fc.property(logs, ({ log, head }) => {
        expect(check(log)).toEqual({
          ok: true,
          first: 1,
          last: log.entries.length,
          checkpoints: 1,
          signed_to: head,
          unknown_keys: [],
          broken: null,
        });
      }),
    );
  });

  test('does not hold when any field of any entry was changed, and the place is named', () => {
    const fields = fc.constantFrom(...(Object.keys(chain([blank])[0] ?? {}) as (keyof AuditEntry)[]));
    fc.assert(
      fc.property(logs, fields, ({ log, seq }, field) => {
        const value = log.entries[seq - 1]?.[field];
        const other = typeof value === 'number' ? value + 1 : typeof value === 'string' ? `${value}0` : 'x';
        const entries = log.entries.map((entry) => (entry.seq === seq ? { ...entry, [field]: other } : entry));
        const { ok, broken } = check({ ...log, entries });
        expect(ok).toBe(false);
        expect(broken?.seq).toBeLessThanOrEqual(seq + 1);
        expect(broken?.seq).toBeGreaterThanOrEqual(Math.min(seq, 1));
      }),
    );
  });

  test('does not hold when an entry was taken out', () => {
    fc.assert(
      fc.property(logs, ({ log, seq }) => {
        const entries = log.entries.filter((entry) => entry.seq !== seq);
        const { broken } = check({ ...log, entries });
        // Without its first entry a log begins with the second.
        if (seq === 1) expect(broken).toEqual({ seq: 2, fault: 'no-start' });
        else expect(broken).toEqual({ seq, fault: seq === log.entries.length ? 'cut-off' : 'missing' });
      }),
    );
  });

  test('does not hold when two entries change places', () => {
    fc.assert(
      fc.property(logs, ({ log, seq }) => {
        const other = seq === 1 ? 2 : seq - 1;
        const entries = [...log.entries];
        [entries[seq - 1], entries[other - 1]] = [entries[other - 1], entries[seq - 1]] as [AuditEntry, AuditEntry];
        expect(check({ ...log, entries }).ok).toBe(false);
      }),
    );
  });

  test('does not hold when it ends before a checkpoint', () => {
    fc.assert(
      fc.property(logs, ({ log, head, seq }) => {
        const entries = log.entries.slice(0, seq - 1);
        expect(check({ ...log, entries }).broken).toEqual({ seq: head, fault: 'cut-off' });
      }),
    );
  });

  test('does not hold when it was written anew from some entry on, if that was signed', () => {
    fc.assert(
      fc.property(logs, ({ log, said, head, seq }) => {
        const forged = said.map((words, index) =>
          index === seq - 1 ? { ...words, action: `${words.action}!` } : words,
        );
        expect(check({ ...log, entries: chain(forged) }).broken).toEqual({ seq: head, fault: 'rewritten' });
      }),
    );
  });

  test('is not proved behind its last checkpoint: what was written anew there is found by a kept export only', () => {
    const entries = chain([blank, blank, blank]);
    const forged = chain([blank, blank, { ...blank, action: 'other' }]);
    const checkpoints = [signed(entries[1] as AuditEntry)];
    expect(check({ entries: forged, checkpoints })).toMatchObject({ ok: true, last: 3, signed_to: 2 });
    const whole = { entries, checkpoints };
    expect(check(whole, { entries: forged, checkpoints }).broken).toEqual({ seq: 3, fault: 'rewritten' });
  });

  test('agrees with every export that was kept, as far as that goes', () => {
    fc.assert(
      fc.property(logs, ({ log, head, seq }) => {
        const kept = { entries: log.entries.slice(0, seq), checkpoints: [] };
        expect(check(kept, log)).toMatchObject({ ok: true, last: log.entries.length, signed_to: head });
        expect(check(kept, { ...log, entries: log.entries.slice(seq) }).ok).toBe(false);
        const shorter = { entries: log.entries.slice(0, seq - 1), checkpoints: [] };
        expect(check(kept, shorter).broken).toEqual({ seq, fault: 'cut-off' });
        const gap = { ...log, entries: log.entries.filter((entry) => entry.seq !== seq) };
        expect(check(log, gap).broken).toMatchObject({ seq });
      }),
    );
  });

  test('may begin in the middle, where a checkpoint proves what came before', () => {
    const entries = chain([blank, blank, blank]);
    const [, second, third] = entries as [AuditEntry, AuditEntry, AuditEntry];
    const proof = signed(entries[0] as AuditEntry);
    expect(check({ entries: [second, third], checkpoints: [proof] })).toMatchObject({ ok: true, first: 2, last: 3 });
    expect(check({ entries: [second, third], checkpoints: [] }).broken).toEqual({ seq: 2, fault: 'no-start' });
  });

  test('is not proved by signatures of others', () => {
    const entries = chain([blank]);
    const good = signed(entries[0] as AuditEntry);
    expect(check({ entries, checkpoints: [{ ...good, keyid: 'b'.repeat(16) }] })).toMatchObject({
      ok: true,
      checkpoints: 0,
      signed_to: 0,
      unknown_keys: ['b'.repeat(16)],
    });
    expect(check({ entries, checkpoints: [{ ...good, ts: 'later' }] }).broken).toEqual({
      seq: 1,
      fault: 'bad-signature',
    });
  });

  test('that is empty holds', () => {
    expect(check({ entries: [], checkpoints: [] })).toMatchObject({ ok: true, first: 0, last: 0 });
  });
});

const blank: Said = { actor_name: 'a', action: 'x', result: 'ok', object: {}, change: [] };

describe('canonical JSON', () => {
  test('is one text for one value, whatever the order of its keys and however often it was read', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });

  test('is written as RFC 8785 writes its example', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\u05d0': 'Hebrew Letter Alef',
      1: 'One',
      '\u{1f602}': 'Smiley',
      '\u0080': 'Control',
      ö: 'Latin Small Letter O With Diaeresis',
      '</script>': [1e30, 4.5, 2e-3, 1e-27, undefined],
      gone: undefined,
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","</script>":[1e+30,4.5,0.002,1e-27,null],"\u0080":"Control",' +
        '"ö":"Latin Small Letter O With Diaeresis","\u05d0":"Hebrew Letter Alef","\u20ac":"Euro Sign",' +
        '"\u{1f602}":"Smiley"}',
    );
  });
});

const reversed = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(reversed)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .toReversed()
            .map(([key, field]) => [key, reversed(field)]),
        )
      : value;
