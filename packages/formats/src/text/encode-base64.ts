const encoder = new TextEncoder();
const chunk = 0x8000;

/** Base64 of the text's UTF-8, with padding. */
export const encodeBase64 = (text: string): string => encodeBytes(encoder.encode(text));

/** The alphabet for URLs, without padding. */
export const encodeBase64Url = (text: string): string => encodeBytesUrl(encoder.encode(text));

export const encodeBytesUrl = (bytes: Uint8Array): string =>
  encodeBytes(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

function encodeBytes(bytes: Uint8Array): string {
  let binary = '';
  // A call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += chunk) binary += String.fromCharCode(...bytes.subarray(at, at + chunk));
  return btoa(binary);
}
