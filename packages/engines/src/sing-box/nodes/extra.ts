import type { Node } from '@sbox/formats';
import { unsupported, type Complaint } from './fields.ts';

/** Masks of Xray's (`fm`) change every packet, so that the server would not understand the node without them. */
const maskKey = 'fm';

/** A server that expects this inside of Trojan understands nothing else. */
const innerKey = 'ss-opts.enabled';

/** Xray's QUIC could be ciphered once more, and look like something else; sing-box's is plain. */
const quicKeys = ['quicSecurity', 'headerType'];
const isSet = (value: string | undefined): boolean => value !== undefined && !/^(?:none)?$/i.test(value);

/** A certificate pinned by its SHA-256, under the names of the formats; sing-box pins keys instead. */
const pinKeys = ['pcs', 'pinSHA256', 'hpkp', 'fingerprint', 'pinned_certchain_sha256'];
const sha256 = /(?:[0-9a-f]{2}:?){32}|^[\w+/-]{43}=?$/i;

/** Whether what sing-box has no field for is something that the node cannot do without. */
export function extraComplaint({ extra, tls, transport }: Node): Complaint | undefined {
  if (extra === undefined) return undefined;
  if (Object.hasOwn(extra, maskKey)) return unsupported("sing-box has no masks (Xray's fm)");
  if (extra[innerKey] === 'true') return unsupported("sing-box has no Shadowsocks inside Trojan (mihomo's ss-opts)");
  if (transport?.type === 'quic' && quicKeys.some((key) => isSet(extra[key])))
    return unsupported("sing-box has no cipher and no camouflage for QUIC (Xray's quicSettings)");
  // With verification on, the pin is only a second lock; with verification off, it is the only one.
  if (tls?.insecure !== true) return undefined;
  const isPinned = pinKeys.some((key) => Object.hasOwn(extra, key) && sha256.test(extra[key] ?? ''));
  return isPinned
    ? unsupported('its certificate is pinned in a way that sing-box cannot check, and nothing else is verified')
    : undefined;
}
