import type { Multiplex, Node, ShadowTls, Tls, Transport } from '../node.ts';
import { shadowTlsPrefix } from '../protocols/shadow-tls.ts';
import { headerPrefix } from '../protocols/transport.ts';

/** Settings as the readers take them (`params.ts`); undefined ones are not set. */
export type ParamTable = Readonly<Record<string, string | number | undefined>>;

/** Yes, or not written at all. */
export const flagParam = (value: boolean | undefined): string | undefined => (value === true ? '1' : undefined);
export const listParam = (items: readonly string[] | undefined): string | undefined =>
  items === undefined || items.length === 0 ? undefined : items.join(',');

/** What `takeTls` reads; `security` says `none` where TLS is off, because some protocols have it on by themselves. */
export function tlsParams(tls: Tls | undefined): ParamTable {
  if (tls?.enabled !== true) return { security: 'none' };
  return {
    security: tls.reality?.enabled === true ? 'reality' : 'tls',
    sni: tls.server_name,
    insecure: flagParam(tls.insecure),
    disable_sni: flagParam(tls.disable_sni),
    alpn: listParam(tls.alpn),
    fp: tls.utls?.enabled === true ? tls.utls.fingerprint : undefined,
    pbk: tls.reality?.public_key,
    sid: tls.reality?.short_id,
    ...echParams(tls.ech),
  };
}

/** PEM loses its frame: the forms that have ECH want the bare base64. */
function echParams(ech: Tls['ech']): ParamTable {
  if (ech?.enabled !== true) return {};
  const inner = ech.config?.slice(1, -1).join('') ?? '';
  const isFramed = ech.config?.[0]?.startsWith('-----') === true && /^[A-Za-z0-9+/]{16,}={0,2}$/.test(inner);
  return { ech: isFramed ? inner : ech.config?.join('\n'), ech_query_name: ech.query_server_name };
}

type TransportParams = (transport: Transport, hasTls: boolean) => ParamTable;

const ws: TransportParams = ({ path, headers = {}, max_early_data: size, early_data_header_name: header }) => {
  const host = Object.entries(headers).find(([name]) => name.toLowerCase() === 'host');
  const others = Object.entries(headers).filter(([name]) => name !== host?.[0]);
  return { type: 'ws', host: host?.[1], path, ed: size, eh: header, ...headerParams(others) };
};

const headerParams = (headers: readonly (readonly [string, string])[]): ParamTable =>
  Object.fromEntries(headers.map(([name, value]) => [`${headerPrefix}${name}`, value]));

const transports: Readonly<Record<Transport['type'], TransportParams>> = {
  ws,
  // Without TLS it is HTTP/1.1, which links call a camouflage of TCP.
  http: ({ host, path, method, headers = {}, header_type }, hasTls) => ({
    ...(hasTls && header_type === undefined ? { type: 'http' } : { type: 'tcp', headerType: 'http' }),
    host: listParam(host === undefined ? undefined : [host].flat()),
    path,
    method,
    ...headerParams(Object.entries(headers)),
  }),
  grpc: ({ service_name }) => ({ type: 'grpc', serviceName: service_name }),
  httpupgrade: ({ host, path, headers = {} }) => ({
    type: 'httpupgrade',
    host: listParam(host === undefined ? undefined : [host].flat()),
    path,
    ...headerParams(Object.entries(headers)),
  }),
  quic: () => ({ type: 'quic' }),
  xhttp: ({ host, path, mode, headers = {} }) => ({
    type: 'xhttp',
    host: listParam(host === undefined ? undefined : [host].flat()),
    path,
    mode,
    ...headerParams(Object.entries(headers)),
  }),
  mkcp: ({ header_type, seed }) => ({ type: 'kcp', headerType: header_type, seed }),
};

/** What `takeTransport` reads. */
export const transportParams = ({ transport, tls }: Pick<Node, 'transport' | 'tls'>): ParamTable =>
  transport === undefined ? { type: 'tcp' } : transports[transport.type](transport, tls?.enabled === true);

/** What `takeMultiplex` reads: mihomo's names, which is the only form with settings for it. */
export function multiplexParams(multiplex: Multiplex | undefined): ParamTable {
  if (multiplex?.enabled !== true) return {};
  const { protocol, max_connections, min_streams, max_streams, padding, brutal } = multiplex;
  return {
    'smux.enabled': 'true',
    'smux.protocol': protocol,
    'smux.max-connections': max_connections,
    'smux.min-streams': min_streams,
    'smux.max-streams': max_streams,
    'smux.padding': padding === undefined ? undefined : String(padding),
    ...(brutal?.enabled === true
      ? {
          'smux.brutal-opts.enabled': 'true',
          'smux.brutal-opts.up': brutal.up_mbps,
          'smux.brutal-opts.down': brutal.down_mbps,
        }
      : {}),
  };
}

/** What `takeShadowTls` reads. */
export function shadowTlsParams(shadow: ShadowTls | undefined): ParamTable {
  if (shadow === undefined) return {};
  const { version, password, tls } = shadow;
  const table: ParamTable = {
    host: tls.server_name,
    version,
    password,
    alpn: listParam(tls.alpn),
    fp: tls.utls?.enabled === true ? tls.utls.fingerprint : undefined,
    insecure: flagParam(tls.insecure),
  };
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [`${shadowTlsPrefix}${name}`, value]));
}
