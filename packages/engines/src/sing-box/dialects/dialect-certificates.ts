import { isRecord, recordsIn, type Json } from '../document.ts';
import type { Lowering } from './lowering.ts';

/** What an ACME provider has and the older inline form has not. */
const newInProviders = ['account_key', 'key_type', 'profile', 'http_client'];

/** Before 1.14 every TLS section has its own ACME settings; other providers have no older form. */
export function inlineAcme(config: Json, lowering: Lowering): void {
  const providers = new Map(recordsIn(config['certificate_providers']).map((provider) => [provider['tag'], provider]));
  for (const list of ['inbounds', 'services']) {
    for (const [index, { tls }] of recordsIn(config[list]).entries()) {
      if (!isRecord(tls) || tls['certificate_provider'] === undefined) continue;
      const named = tls['certificate_provider'];
      const provider = isRecord(named) ? named : providers.get(named);
      const path = `${list}[${index}].tls.certificate_provider`;
      if (provider === undefined) return lowering.refuse(path, `there is no provider ${JSON.stringify(named)}`);
      const { type, tag: _, ...acme } = provider;
      if (type !== 'acme') return lowering.refuse(path, 'providers other than acme need sing-box 1.14 or newer');
      for (const key of newInProviders.filter((one) => acme[one] !== undefined)) {
        delete acme[key];
        lowering.warn(`${path}.${key}`, 'it needs sing-box 1.14 or newer; it is left off');
      }
      delete tls['certificate_provider'];
      tls['acme'] = acme;
    }
  }
  delete config['certificate_providers'];
}
