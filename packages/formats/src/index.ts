/** Subscription text in, nodes out, and back again. Pure: no files, no network, the hash function is passed in. */
export { documentFormats, type DocumentFormat } from './documents/document.ts';
export { parseJsonc, type Jsonc } from './documents/jsonc.ts';
export { defaultLimits, type Limits } from './limits.ts';
export { mergeMetadata, type Metadata, type PlanUsage } from './metadata/metadata.ts';
export { readMetadataHeaders } from './metadata/read-metadata.ts';
export { linkReaders, parseLink, parseLinks } from './links/parse-link.ts';
export { wrappedUrl } from './links/wrapped-url.ts';
export {
  nodeTypes,
  type Multiplex,
  type Node,
  type NodeDraft,
  type NodeFields,
  type NodeType,
  type Obfs,
  type Realm,
  type ShadowTls,
  type Tls,
  type Transport,
  type WireguardPeer,
} from './node.ts';
export { nodeId, textHash } from './node-id.ts';
export { isNoticeName } from './notices.ts';
export { parseSubscription, type ParseDeps, type ParsedSubscription } from './parse-subscription.ts';
export type { Rejected } from './rejected.ts';
export { normaliseName } from './text/names.ts';
export { uniqueTags } from './unique-tags.ts';
export { writeLink } from './writers/write-link.ts';
export {
  writeSubscription,
  writtenFormats,
  type NotWritten,
  type WriteWarning,
  type WrittenFormat,
  type WrittenSubscription,
} from './writers/write-subscription.ts';
