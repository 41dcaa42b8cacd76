import { shadowTlsPrefix } from '../protocols/shadow-tls.ts';
import { pluginOptions } from '../protocols/shadowsocks.ts';
import type { NodeType } from '../node.ts';
import { takeText, type Params } from '../params.ts';
import { encodeBase64Url } from '../text/encode-base64.ts';
import { ssrLink } from './ssr-link.ts';
import { trustTunnelLink } from './trusttunnel-link.ts';
import { encode, formatQuery, takeAddress, uriLink, userAndPassword, userOf, type FormatLink } from './uri-link.ts';
import { vmessLink } from './vmess-link.ts';

const plainTcp = ['type=tcp', 'security=none'];

/** SIP002: base64 of method and password, except for the 2022 ciphers, whose keys are base64 themselves. */
function shadowsocksUser(params: Params): string {
  const method = takeText(params, 'method') ?? '';
  const password = takeText(params, 'password') ?? '';
  return method.startsWith('2022-')
    ? `${method}:${encode(password)}`
    : encodeBase64Url(`${method}:${password}`.toWellFormed());
}

/** The plugin and its options are one parameter; ShadowTLS is a plugin too. */
function joinPlugin(params: Params): void {
  const options = takeText(params, 'plugin_opts');
  const plugin = params.get('plugin');
  if (plugin !== undefined && options !== undefined) params.set('plugin', `${plugin};${options}`);
  const shadowTls = ['host', 'password', 'version', 'alpn', 'fp', 'insecure'].flatMap((name) => {
    const value = takeText(params, `${shadowTlsPrefix}${name}`);
    return value === undefined ? [] : [[name, value] as const];
  });
  if (shadowTls.length > 0 && plugin === undefined) params.set('plugin', `shadow-tls;${pluginOptions(shadowTls)}`);
}

const socksSchemes = new Map([
  ['4', 'socks4'],
  ['4a', 'socks4a'],
]);

/** Version 4 has a token where version 5 has a user id and a password. */
const tuicUser = (params: Params): string | undefined =>
  params.has('token') ? userOf('token')(params) : userAndPassword('uuid', 'password')(params);

const hysteria2 = uriLink({ scheme: 'hysteria2', user: userOf('password') });

/** `hysteria2+realm://token@rendezvous/id?auth=..&stun=..`. */
const hysteria2Realm: FormatLink = (params, name) => {
  const token = takeText(params, 'realm-token') ?? '';
  const id = takeText(params, 'realm-id') ?? '';
  const port = /^https?:\/\/[^/]*:\d+\/?$/.test(takeText(params, 'realm-server-url') ?? '');
  if (!port) params.delete('port');
  const query = (address: string): string =>
    `${address}/${encode(id)}${formatQuery([...params].map(([key, value]) => [key === 'password' ? 'auth' : key, value]))}`;
  return `hysteria2+realm://${encode(token)}@${query(takeAddress(params))}#${encode(name)}`;
};

/**
 * `mierus://user:password@host?port=..&protocol=..`, whose reader puts port and protocol behind the name; a node with
 * another name needs the form with the port behind the host.
 * @see https://github.com/enfein/mieru/blob/main/docs/client-install.md
 */
const mieru: FormatLink = (params, name) => {
  const ports = takeText(params, 'mport');
  const port = ports ?? params.get('port') ?? '';
  const suffix = `:${port}/${params.get('protocol') ?? 'TCP'}`;
  if (!name.endsWith(suffix)) {
    if (ports !== undefined) params.set('port', ports);
    return uriLink({ scheme: 'mierus', user: userAndPassword('username', 'password') })(params, name);
  }
  params.delete('port');
  const base = name.slice(0, -suffix.length);
  const named = new Map([...params, ['port', port]]);
  named.delete('server');
  const user = userAndPassword('username', 'password')(named) ?? '';
  return `mierus://${user}@${takeAddress(new Map([['server', params.get('server') ?? '']]))}${formatQuery([...named])}#${encode(base)}`;
};

/** The links of each type, the usual form first; each is tried until one carries the node. */
export const linkForms: Readonly<Partial<Record<NodeType, readonly FormatLink[]>>> = {
  shadowsocks: [uriLink({ scheme: 'ss', user: shadowsocksUser, unsaid: new Set(plainTcp), prepare: joinPlugin })],
  vmess: [vmessLink, uriLink({ scheme: 'vmess', user: userOf('uuid'), names: { scy: 'encryption' } })],
  vless: [uriLink({ scheme: 'vless', user: userOf('uuid') })],
  trojan: [uriLink({ scheme: 'trojan', user: userOf('password') })],
  hysteria2: [(params, name) => (params.has('realm-server-url') ? hysteria2Realm : hysteria2)(params, name)],
  tuic: [uriLink({ scheme: 'tuic', user: tuicUser })],
  wireguard: [
    uriLink({
      scheme: 'wireguard',
      user: userOf('private_key'),
      names: { public_key: 'publickey', pre_shared_key: 'presharedkey', allowed_ips: 'allowedips' },
      unsaid: new Set(['allowed_ips=0.0.0.0/0,::/0']),
    }),
  ],
  anytls: [uriLink({ scheme: 'anytls', user: userOf('password') })],
  socks: [
    uriLink({
      scheme: (params) => socksSchemes.get(takeText(params, 'version') ?? '') ?? 'socks5',
      user: userAndPassword('username', 'password'),
      unsaid: new Set(plainTcp),
    }),
  ],
  http: [
    uriLink({
      scheme: (params) => (takeText(params, 'security') === 'none' ? 'http' : 'https'),
      user: userAndPassword('username', 'password'),
      unsaid: new Set(plainTcp),
    }),
  ],
  ssh: [
    uriLink({
      scheme: 'ssh',
      user: userAndPassword('username', 'password'),
      names: { private_key: 'pk', private_key_passphrase: 'pkp', host_key: 'hk', host_key_algorithms: 'hka' },
    }),
  ],
  naive: [
    uriLink({
      scheme: (params) => (takeText(params, 'quic') === '1' ? 'naive+quic' : 'naive+https'),
      user: userAndPassword('username', 'password'),
    }),
  ],
  hysteria: [
    uriLink({
      scheme: 'hysteria',
      names: { auth_str: 'auth', sni: 'peer', up: 'upmbps', down: 'downmbps', 'obfs-password': 'obfsParam' },
    }),
  ],
  snell: [uriLink({ scheme: 'snell', user: userOf('psk') })],
  shadowsocksr: [ssrLink],
  juicity: [
    uriLink({
      scheme: 'juicity',
      user: userAndPassword('uuid', 'password'),
      names: { pin_cert_sha256: 'pinned_certchain_sha256', insecure: 'allow_insecure' },
    }),
  ],
  mieru: [mieru],
  trusttunnel: [trustTunnelLink],
};
