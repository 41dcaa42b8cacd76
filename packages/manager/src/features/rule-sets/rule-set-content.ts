import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflate } from 'node:zlib';
import { ProblemError } from '@sbox/core';

export type RuleSetFormat = 'binary' | 'source';

/** `SRS`, one byte of version, then zlib (sing-box, common/srs). */
const magic = Buffer.from('SRS');
const headerBytes = 4;
const maxInflatedBytes = 256 * 1024 * 1024;

/**
 * Tells the format by the content, because addresses say anything, and refuses what no engine would load: error pages,
 * and files that were cut short on the way.
 * @throws ProblemError `rule-set.invalid`
 */
export async function readRuleSet(bytes: Uint8Array): Promise<RuleSetFormat> {
  if (magic.equals(bytes.subarray(0, magic.length))) {
    await inflate(bytes.subarray(headerBytes)).catch((cause: unknown) => {
      throw new ProblemError('rule-set.invalid', 'the compiled rule-set is damaged or cut short', { cause });
    });
    return 'binary';
  }
  const text = Buffer.from(bytes.subarray(0, 1000)).toString('utf8').trimStart();
  if (/^<(?:!doctype|html|\?xml)/i.test(text))
    throw new ProblemError('rule-set.invalid', 'a web page came instead of a rule-set');
  if (!isSource(bytes))
    throw new ProblemError('rule-set.invalid', 'it is neither a compiled rule-set (SRS) nor one in JSON');
  return 'source';
}

/** Counts and throws away, so that a bomb takes no memory. */
const inflate = async (packed: Uint8Array): Promise<void> =>
  await pipeline(Readable.from([packed]), createInflate(), async (chunks: AsyncIterable<Uint8Array>) => {
    let size = 0;
    for await (const { length } of chunks) {
      size += length;
      if (size > maxInflatedBytes) throw new Error(`it unpacks to more than ${maxInflatedBytes} bytes`);
    }
  });

function isSource(bytes: Uint8Array): boolean {
  try {
    const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as { version?: unknown; rules?: unknown } | null;
    return typeof document?.version === 'number' && Array.isArray(document.rules);
  } catch {
    return false;
  }
}
