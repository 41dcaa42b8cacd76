const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Big-endian bytes as base62 text of a fixed width, so that equal lengths stay equal lengths. */
export function encodeBase62(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (; value > 0n; value /= 62n) text = alphabet.charAt(Number(value % 62n)) + text;
  return text.padStart(base62Width(bytes.length), '0');
}

/** The bytes of base62 text, or undefined when the text is not base62 or does not fit the length. */
export function decodeBase62(text: string, length: number): Uint8Array | undefined {
  if (text.length !== base62Width(length)) return undefined;
  let value = 0n;
  for (const letter of text) {
    const digit = alphabet.indexOf(letter);
    if (digit < 0) return undefined;
    value = value * 62n + BigInt(digit);
  }
  const bytes = new Uint8Array(length);
  for (let i = length - 1; i >= 0; i -= 1) {
    bytes[i] = Number(value & 255n);
    value >>= 8n;
  }
  return value === 0n ? bytes : undefined;
}

const base62Width = (bytes: number): number => Math.ceil((bytes * 8) / Math.log2(62));
