/** SHA-256 of some bytes, handed in so that this package runs in a browser too. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** The same of a text's UTF-8, each byte of the hash as one character; many hash a text faster than its bytes. */
export type Sha256Text = (text: string) => string;

/** Address of content: `sha256:` and 64 hex digits. */
export type Digest = `sha256:${string}`;

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const digestOf = (bytes: Uint8Array, sha256: Sha256): Digest => `sha256:${hex(sha256(bytes))}`;

export const isDigest = (text: string): text is Digest => /^sha256:[0-9a-f]{64}$/.test(text);
