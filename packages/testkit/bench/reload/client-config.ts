import type { ReloadConfig } from './strategies.ts';

export interface ClientConfigInput {
  readonly size: ReloadConfig;
  readonly port: number;
  /** A node that works, as an outbound. */
  readonly node: Readonly<Record<string, unknown>>;
  /** Becomes part of a tag, so that another one is another config. */
  readonly version: number;
  /** Which of the two working nodes is chosen. */
  readonly chosen: 0 | 1;
  readonly hasSelector: boolean;
}

const sizes = { small: { nodes: 3, domains: 0 }, large: { nodes: 2000, domains: 20_000 } };

/** A mixed inbound, a selector over nodes of which two work, and as many rules as a large subscription brings. */
export function clientConfig({
  size,
  port,
  node,
  version,
  chosen,
  hasSelector,
}: ClientConfigInput): Record<string, unknown> {
  const { nodes, domains } = sizes[size];
  const working = ['first', 'second'];
  const dead = Array.from({ length: nodes - working.length }, (_, at) => ({
    type: 'trojan',
    // Only one has another name, as after most refreshes of a subscription.
    tag: at === 0 ? `dead 0 v${version}` : `dead ${at}`,
    server: `192.0.2.${at % 255}`,
    server_port: 443,
    password: `password-${at}`,
    tls: { enabled: true, server_name: `node-${at}.example.test` },
  }));
  const tags = [...working, ...dead.map(({ tag }) => tag)];
  const rules =
    domains === 0
      ? []
      : [{ domain_suffix: Array.from({ length: domains }, (_, at) => `domain-${at}.test`), outbound: 'direct' }];
  return {
    log: { level: 'warn' },
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
    outbounds: [
      ...(hasSelector ? [{ type: 'selector', tag: 'select', outbounds: tags, default: working[chosen] }] : []),
      ...working.map((tag) => ({ ...node, tag })),
      ...dead,
      { type: 'direct', tag: 'direct' },
    ],
    route: { rules, final: hasSelector ? 'select' : working[chosen] },
  };
}
