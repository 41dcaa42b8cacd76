import { isRecord, type Json } from '../document.ts';
import {
  also,
  base64Key,
  can,
  duration,
  flag,
  invalid,
  list,
  object,
  oneOf,
  pem,
  realityKey,
  shortId,
  text,
  type Field,
} from './fields.ts';

const cipherSuites = oneOf(
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
);
const tlsVersion = oneOf('1.0', '1.1', '1.2', '1.3');

export const tlsFields = {
  enabled: flag,
  server_name: text,
  disable_sni: flag,
  insecure: flag,
  alpn: list(text),
  min_version: tlsVersion,
  max_version: tlsVersion,
  cipher_suites: list(cipherSuites),
  curve_preferences: can('tls.curve_preferences', list(oneOf('P256', 'P384', 'P521', 'X25519', 'X25519MLKEM768'))),
  certificate: pem('CERTIFICATE'),
  certificate_public_key_sha256: can('tls.certificate_public_key_sha256', list(base64Key(32))),
  fragment: can('tls.fragment', flag),
  fragment_fallback_delay: can('tls.fragment_fallback_delay', duration),
  record_fragment: can('tls.record_fragment', flag),
  ech: can(
    'tls.ech',
    object({ enabled: flag, config: pem('ECH CONFIGS'), query_server_name: can('tls.ech.query_server_name', text) }, [
      'enabled',
    ]),
  ),
};
const fingerprints = [
  '',
  'chrome',
  'firefox',
  'edge',
  'safari',
  '360',
  'qq',
  'ios',
  'android',
  'random',
  'randomized',
  'chrome_psk',
  'chrome_psk_shuffle',
  'chrome_padding_psk_shuffle',
  'chrome_pq',
  'chrome_pq_psk',
];
const knownFingerprints = new Set<unknown>(fingerprints);

/**
 * A browser that sing-box cannot imitate is none at all, as it is for mihomo, where such names come from. REALITY needs
 * some browser, and gets sing-box's own choice.
 */
export function tidyTls(fields: Json): Json {
  const { utls: imitated, reality: camouflage, ...rest } = fields;
  if (!isRecord(imitated) || typeof imitated['fingerprint'] !== 'string') return fields;
  if (knownFingerprints.has(imitated['fingerprint'])) return fields;
  return camouflage === undefined ? rest : { ...rest, reality: camouflage, utls: { enabled: true } };
}

const newestFingerprint = can('tls.utls.chrome_pq_psk');
const fingerprint = also(oneOf(...fingerprints), (value, path, profile) =>
  value === 'chrome_pq_psk' ? newestFingerprint(value, path, profile) : undefined,
);
const utls = object({ enabled: flag, fingerprint }, ['enabled']);
const reality = object({ enabled: flag, public_key: realityKey, short_id: shortId }, ['enabled', 'public_key']);

const consistentTls: Field = (value, path) => {
  if (!isRecord(value)) return undefined;
  if (value['certificate'] !== undefined && value['certificate_public_key_sha256'] !== undefined) {
    return invalid(path, 'has a certificate and a pinned key, of which sing-box takes one');
  }
  if (value['reality'] === undefined) return undefined;
  if (value['ech'] !== undefined) return invalid(path, 'has REALITY and ECH, of which sing-box takes one');
  return value['utls'] === undefined ? invalid(path, 'has REALITY without uTLS') : undefined;
};

const withUtls = { ...tlsFields, utls: can('tls.utls', utls) };

/** QUIC makes its own hello, so there is no place for another program's. */
export const quicTls = also(object(tlsFields, ['enabled']), consistentTls);
/** Where the hello can look like a browser's and is still a real one. */
export const shadowedTls = also(object(withUtls, ['enabled']), consistentTls);
/** Over TCP. */
export const tls = also(object({ ...withUtls, reality: can('tls.reality', reality) }, ['enabled']), consistentTls);
