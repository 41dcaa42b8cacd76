import { base64Length, invalid, unsupported, type Field } from './fields.ts';

export const ssMethods = [
  'none',
  'aes-128-gcm',
  'aes-192-gcm',
  'aes-256-gcm',
  'chacha20-ietf-poly1305',
  'xchacha20-ietf-poly1305',
  '2022-blake3-aes-128-gcm',
  '2022-blake3-aes-256-gcm',
  '2022-blake3-chacha20-poly1305',
  'aes-128-ctr',
  'aes-192-ctr',
  'aes-256-ctr',
  'aes-128-cfb',
  'aes-192-cfb',
  'aes-256-cfb',
  'rc4-md5',
  'chacha20-ietf',
  'xchacha20',
];
const ss2022KeyBytes: Readonly<Record<string, number>> = {
  '2022-blake3-aes-128-gcm': 16,
  '2022-blake3-aes-256-gcm': 32,
  '2022-blake3-chacha20-poly1305': 32,
};

/** Keys of 2022 ciphers have exact lengths; several keys name users one behind the other. */
export const ssPassword: Field = (value) => {
  const { method = '', password = '' } = value as { method?: string; password?: string };
  if (method === 'none') return undefined;
  if (password === '') return { code: 'node.missing-field', reason: 'password is missing' };
  const bytes = ss2022KeyBytes[method];
  if (bytes === undefined) return undefined;
  const keys = password.split(':');
  if (!keys.every((key) => base64Length(key) === bytes))
    return invalid('password', `must be base64 keys of ${bytes} bytes`);
  return keys.length > 1 && method === '2022-blake3-chacha20-poly1305'
    ? unsupported('sing-box has no keys of several users with this method')
    : undefined;
};

/** SIP003 options as sing-box reads them; files of another machine are of no use here. */
export const ssPlugin: Field = (value) => {
  const { plugin = '', plugin_opts = '' } = value as { plugin?: string; plugin_opts?: string };
  if (plugin === '') return undefined;
  const options = readPluginOptions(plugin_opts);
  if (options === undefined) return invalid('plugin_opts', 'cannot be read');
  const mode = options.get(plugin === 'obfs-local' ? 'obfs' : 'mode');
  const modes = plugin === 'obfs-local' ? ['http', 'tls'] : ['websocket', 'quic'];
  if (mode !== undefined && !modes.includes(mode)) return unsupported(`sing-box has no such mode of ${plugin}`);
  if (options.has('cert') || options.has('certRaw'))
    return unsupported('the certificate of the plugin is a file elsewhere');
  if (mode === 'quic' && !options.has('tls')) return invalid('plugin_opts', 'is QUIC without TLS');
  const mux = options.get('mux');
  return mux === undefined || /^\d{1,6}$/.test(mux) ? undefined : invalid('plugin_opts', 'has a mux that is no number');
};

function readPluginOptions(options: string): ReadonlyMap<string, string> | undefined {
  const read = new Map<string, string>();
  for (const part of options.match(/(?:\\.|[^;\\])+|\\$/gs) ?? []) {
    const [, key = '', value = '1'] = /^((?:\\.|[^=\\])+)(?:=(.*))?$/s.exec(part) ?? [];
    if (key === '') return undefined;
    read.set(key, value);
  }
  return /(?:^|;);|^=|;=/.test(options) ? undefined : read;
}
