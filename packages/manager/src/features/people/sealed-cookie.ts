import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Clock, RandomBytes } from '@sbox/core';

/** Keeps something in the browser that only this process can read or make, for a while. */
export interface Seal {
  close(value: object): string;
  /** Undefined for what was not sealed here, or too long ago. */
  open(text: string): unknown;
}

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM with a key that lives as long as the process: a restart ends what was begun. */
export function createSeal(randomBytes: RandomBytes, clock: Clock, ms: number): Seal {
  const key = randomBytes(32);
  return {
    close(value) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const text = JSON.stringify({ untilMs: clock.now() + ms, value });
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
        'base64url',
      );
    },
    open(text) {
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length <= nonceBytes + tagBytes) return undefined;
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), {
          authTagLength: tagBytes,
        });
        decipher.setAuthTag(bytes.subarray(-tagBytes));
        const plain = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]);
        const { untilMs, value } = JSON.parse(plain.toString()) as { untilMs: number; value: unknown };
        return untilMs > clock.now() ? value : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
