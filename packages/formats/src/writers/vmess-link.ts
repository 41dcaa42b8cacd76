import { encodeBase64 } from '../text/encode-base64.ts';
import { lookUp } from './look-up.ts';
import { joinEarlyData, type FormatLink } from './uri-link.ts';

/** v2rayN's keys, by canonical name. */
const jsonNames: Readonly<Record<string, string>> = {
  server: 'add',
  uuid: 'id',
  type: 'net',
  headerType: 'type',
  security: 'tls',
};
/** The keys that mean something else under some transports. */
const namesByTransport: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  grpc: { serviceName: 'path', authority: 'host', mode: 'type' },
  kcp: { seed: 'path' },
  quic: { quicSecurity: 'host', key: 'path' },
  xhttp: { mode: 'type' },
};
/** v2rayN's values, where they are others. */
const jsonValues: Readonly<Record<string, string>> = { 'tls=none': '', 'net=http': 'h2' };

/**
 * `vmess://base64(JSON)`, which every program reads.
 * @see https://github.com/2dust/v2rayN/wiki/Description-of-VMess-share-link
 */
export const vmessLink: FormatLink = (params, name) => {
  joinEarlyData(params);
  const own = lookUp(namesByTransport, params.get('type') ?? '') ?? {};
  const json = new Map([
    ['v', '2'],
    ['ps', name],
    ['aid', '0'],
  ]);
  for (const [key, value] of params) {
    const target = lookUp(own, key) ?? lookUp(jsonNames, key) ?? key;
    json.set(target, lookUp(jsonValues, `${target}=${value}`) ?? value);
  }
  return `vmess://${encodeBase64(JSON.stringify(Object.fromEntries(json)))}`;
};
