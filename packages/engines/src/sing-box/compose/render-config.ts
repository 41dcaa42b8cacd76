import type { Node } from '@sbox/formats';
import { composeSingBox } from './compose.ts';
import type { Json } from '../document.ts';
import type { LeftOut, Rendered } from '../parts.ts';
import type { EngineTarget } from '../profile.ts';
import { completeSettings, type RenderSettings } from './render-settings.ts';

export type { LeftOut, Rendered };
export type SingBoxConfig = Json;

/**
 * Renders nodes into one configuration: a selector over all of them, a urltest, and everything through the selector. A
 * node that the target cannot run is left out and named; none is changed. Paths, control API and cache belong to the
 * overlay.
 * @throws ProblemError `engine.too-old`, `engine.unsupported`, `config.no-nodes`, `settings.invalid`
 */
export const renderSingBox = (nodes: readonly Node[], target: EngineTarget, settings: RenderSettings = {}): Rendered =>
  composeSingBox({ skeleton: defaultSkeleton(settings), nodes }, target);

/**
 * What `renderSingBox` puts the nodes into.
 * @throws ProblemError `settings.invalid`
 */
export function defaultSkeleton(settings: RenderSettings = {}): Json {
  const { inbounds, urltest, log_level, dns } = completeSettings(settings);
  // A choice made through the control API must not cut the connections that are open.
  const keepsConnections = { interrupt_exist_connections: false };
  return {
    log: { level: log_level, timestamp: true },
    dns: {
      servers: [
        // The machine's own resolver finds the nodes; what clients ask goes through them.
        { type: 'local', tag: 'local' },
        { tag: 'remote', ...dns.remote, detour: 'select' },
      ],
      final: 'remote',
      ...(dns.strategy === undefined ? {} : { strategy: dns.strategy }),
    },
    inbounds: inbounds.map(({ type, tag, listen, listen_port }) => ({ type, tag, listen, listen_port })),
    outbounds: [
      {
        type: 'selector',
        tag: 'select',
        outbounds: ['auto', '$groups', '$nodes'],
        default: 'auto',
        ...keepsConnections,
      },
      { type: 'urltest', tag: 'auto', outbounds: ['$nodes'], ...urltest, ...keepsConnections },
      { $groups: true },
      { $nodes: true },
      { type: 'direct', tag: 'direct' },
    ],
    route: {
      rules: [
        // Only DNS is looked into: elsewhere sniffing delays protocols in which the server speaks first.
        { port: 53, action: 'sniff', sniffer: ['dns'] },
        { port: 53, protocol: 'dns', action: 'hijack-dns' },
      ],
      final: 'select',
      default_domain_resolver: 'local',
    },
  };
}
