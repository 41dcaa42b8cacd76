export const maxNameBytes = 256;

// C0, C1, bidi marks and overrides, byte order mark, and the Unicode line separators.
const unwanted = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
const spaces = /[\t\n\r\u2028\u2029]+/g;
const everyUnwanted = new RegExp(unwanted.source, 'gu');
const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
/** The same with flags, other pictures and Chinese characters, of which none combines with another in NFC. */
const plainWithPictures =
  /^[\x21-\x7e\u4e00-\u9fff\u{1f000}-\u{1faff}](?:[\x20-\x7e\u4e00-\u9fff\u{1f000}-\u{1faff}]*[\x21-\x7e\u4e00-\u9fff\u{1f000}-\u{1faff}])?$/u;

/** A name that is safe in every config and terminal: NFC, one line, no control or direction characters, trimmed, short. */
export function normaliseName(name: string): string {
  if (name.length <= maxNameBytes && name.charCodeAt(0) < 0x7f && plain.test(name)) return name;
  if (name.length * 3 <= maxNameBytes && plainWithPictures.test(name)) return name;
  const clean = unwanted.test(name) ? name.replace(spaces, ' ').replace(everyUnwanted, '') : name;
  return cutToBytes(clean.toWellFormed().normalize('NFC').trim(), maxNameBytes).trim();
}

const encoder = new TextEncoder();

/** Cuts after the last whole character that fits. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  return text.slice(0, encoder.encodeInto(text, new Uint8Array(maxBytes)).read);
}
