const binary = /^[A-Za-z0-9+/]*$/;
const beyondAscii = /[\u0080-\u00ff]/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The bytes of base64 in any of the forms that occur: standard or URL alphabet, padded or not, with white space.
 * Undefined when the text is not base64.
 */
export function decodeBase64Bytes(text: string): Uint8Array | undefined {
  const bytes = decodeBinary(text);
  return bytes === undefined ? undefined : bytesOf(bytes);
}

/** The text behind base64; undefined when it is not base64 or not UTF-8. */
export function decodeBase64(text: string): string | undefined {
  const bytes = decodeBinary(text);
  if (bytes === undefined || !beyondAscii.test(bytes)) return bytes;
  try {
    return utf8.decode(bytesOf(bytes));
  } catch {
    return undefined;
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Bytes as a string of characters up to 255. */
function decodeBinary(text: string): string | undefined {
  return text.includes('-') || text.includes('_') ? decodeAnyForm(text) : (tryStandard(text) ?? decodeAnyForm(text));
}

/** What is standard base64 needs no look at each of its characters by us; wrong padding fails here. */
function tryStandard(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}

function decodeAnyForm(text: string): string | undefined {
  let digits = /\s/.test(text) ? text.replace(/\s+/g, '') : text;
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '=') end -= 1;
  if (end < digits.length) digits = digits.slice(0, end);
  if (/[-_]/.test(digits)) digits = digits.replaceAll('-', '+').replaceAll('_', '/');
  // A single left-over digit carries six bits: no byte ends there.
  if (digits.length % 4 === 1 || !binary.test(digits)) return undefined;
  return atob(digits);
}
