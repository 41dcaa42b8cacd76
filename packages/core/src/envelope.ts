/**
 * A signed document in the shape of DSSE (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md): the
 * signature covers the exact bytes of the payload together with its type, so nothing is ever canonicalised.
 */
export interface Envelope {
  readonly payloadType: string;
  /** Base64 of the payload's bytes. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

export type Sign = (message: Uint8Array) => Uint8Array;
export type Verify = (keyid: string, message: Uint8Array, signature: Uint8Array) => boolean;

export const payloadTypes = {
  manifest: 'application/vnd.sbox.manifest+json',
  trust: 'application/vnd.sbox.trust+json',
} as const;

const encoder = new TextEncoder();

/** The bytes that are signed: `DSSEv1 SP len(type) SP type SP len(body) SP body`. */
export function preAuthEncoding(payloadType: string, body: Uint8Array): Uint8Array {
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${body.length} `);
  const message = new Uint8Array(head.length + body.length);
  message.set(head);
  message.set(body, head.length);
  return message;
}

export function sealEnvelope(payloadType: string, body: Uint8Array, keyid: string, sign: Sign): Envelope {
  const signature = sign(preAuthEncoding(payloadType, body));
  return { payloadType, payload: toBase64(body), signatures: [{ keyid, sig: toBase64(signature) }] };
}

/** The payload, but only when one signature verifies; `known` tells an unknown key from a wrong signature. */
export function openEnvelope(
  envelope: Envelope,
  payloadType: string,
  keys: { known(keyid: string): boolean; verify: Verify },
):
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly reason: 'type' | 'unknown-key' | 'signature' } {
  if (envelope.payloadType !== payloadType) return { ok: false, reason: 'type' };
  const body = fromBase64(envelope.payload);
  const known = envelope.signatures.filter(({ keyid }) => keys.known(keyid));
  if (!body || known.length === 0) return { ok: false, reason: body ? 'unknown-key' : 'signature' };
  const message = preAuthEncoding(payloadType, body);
  const verified = known.some(({ keyid, sig }) => {
    const signature = fromBase64(sig);
    return signature !== undefined && keys.verify(keyid, message, signature);
  });
  return verified ? { ok: true, body } : { ok: false, reason: 'signature' };
}

/** Standard base64 with padding. */
export const toBase64 = (bytes: Uint8Array): string => {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(binary);
};

/** Strict: undefined for anything but standard base64 with its padding; `atob` alone takes spaces and no padding. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
