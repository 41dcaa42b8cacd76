/** Subscription text in, nodes out. Pure: no files, no network, the hash function is passed in. */
export type { DocumentFormat } from './documents/document.ts';
export { defaultLimits, type Limits } from './limits.ts';
export { parseLink } from './links/parse-link.ts';
export {
  nodeTypes,
  type Multiplex,
  type Node,
  type NodeDraft,
  type NodeFields,
  type NodeType,
  type Obfs,
  type Tls,
  type Transport,
  type WireguardPeer,
} from './node.ts';
export { nodeId } from './node-id.ts';
export { parseSubscription, type ParseDeps, type ParsedSubscription } from './parse-subscription.ts';
export type { Rejected } from './rejected.ts';
export { uniqueTags } from './unique-tags.ts';
