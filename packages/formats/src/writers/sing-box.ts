import { singBoxFields, type Fields, type Shape } from '../documents/sing-box-fields.ts';
import { foreignTypes, type Node, type NodeType, type Transport } from '../node.ts';
import { lookUp } from './look-up.ts';
import { singBoxOtherFields } from './sing-box-other-fields.ts';

export interface SingBoxParts {
  readonly outbounds: readonly Readonly<Record<string, unknown>>[];
  readonly endpoints: readonly Readonly<Record<string, unknown>>[];
}

const foreign: ReadonlySet<NodeType> = new Set(foreignTypes);
const transports: ReadonlySet<Transport['type']> = new Set(['ws', 'http', 'grpc', 'httpupgrade', 'quic']);
const plugins: ReadonlySet<string> = new Set(['', 'obfs-local', 'v2ray-plugin']);

/** What sing-box refuses: one such node would fail the whole configuration. */
export function singBoxRefusal(node: Node): string | undefined {
  const { type, transport, plugin = '' } = node;
  if (foreign.has(type)) return `sing-box has no nodes of type ${type}`;
  if (transport !== undefined && !transports.has(transport.type)) return `sing-box has no transport ${transport.type}`;
  if (!plugins.has(plugin)) return 'sing-box does not have this plugin';
  return refusals.find(([of, refuses]) => of === type && refuses(node))?.[2];
}

const refusals: readonly (readonly [NodeType, (node: Node) => boolean, string])[] = [
  ['tuic', ({ version }) => version === '4', 'sing-box runs TUIC of version 5 only'],
  ['snell', ({ version }) => !(Number(version) >= 4), 'sing-box runs snell of version 4 and newer only'],
  [
    'hysteria',
    ({ up_mbps, down_mbps }) => up_mbps === undefined || down_mbps === undefined,
    'sing-box runs hysteria only with up_mbps and down_mbps',
  ],
];

/**
 * The outbounds or the endpoint of a node; two outbounds when there is ShadowTLS in front of it. Only fields that
 * sing-box has are written: one that it does not know would fail the whole configuration.
 * @param detour the tag of the node that this one dials through
 * @see https://sing-box.sagernet.org/configuration/outbound/
 */
export function singBoxParts(node: Node, detour: string | undefined): SingBoxParts {
  const { type, tag, shadow_tls: shadowTls } = node;
  const fields = { ...pick(placed(node), singBoxFields[type] ?? {}), ...otherFields(node) };
  const through = detour === undefined ? {} : { detour };
  if (type === 'wireguard') return { outbounds: [], endpoints: [{ type, tag, ...fields, ...through }] };
  if (shadowTls === undefined) return { outbounds: [{ type, tag, ...fields, ...through }], endpoints: [] };
  const front = shadowTlsTag(tag);
  const { server, server_port } = node;
  const { version, password, tls } = shadowTls;
  return {
    outbounds: [
      { type, tag, ...fields, detour: front },
      {
        type: 'shadowtls',
        tag: front,
        server,
        server_port,
        version,
        ...(password === undefined ? {} : { password }),
        tls,
        ...through,
      },
    ],
    endpoints: [],
  };
}

/** The tag of the outbound in front of a node. */
export const shadowTlsTag = (tag: string): string => `${tag} shadowtls`;

/** A realm takes the place of an address; sing-box refuses both at once. */
function placed(node: Node): object {
  if (node.realm === undefined) return node;
  const { server: _server, server_port: _port, server_ports: _ports, ...rest } = node;
  return rest;
}

type Json = Readonly<Record<string, unknown>>;

/** The fields that the reader's table names, in its order. */
function pick(source: object, fields: Fields): Json {
  const entries = Object.entries(fields).flatMap(([name, shape]) => {
    const value = (source as Json)[name];
    return value === undefined ? [] : [[name, shaped(value, shape)] as const];
  });
  return Object.fromEntries(entries);
}

function shaped(value: unknown, shape: Shape): unknown {
  if (typeof shape === 'string') return value;
  if ('listOf' in shape) return (value as readonly object[]).map((item) => pick(item, shape.listOf));
  return typeof value === 'object' && value !== null ? pick(value, shape.fields) : value;
}

/** Settings that a sing-box configuration brought along and that mean something in any other one too. */
function otherFields({ extra = {} }: Node): Json {
  return Object.fromEntries(
    Object.entries(extra).flatMap(([name, text]) => {
      const value = lookUp(singBoxOtherFields, name)?.(text);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}
