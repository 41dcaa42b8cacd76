/** How the manager and the command line make configurations for sing-box and look at them. */
export { capabilities, capabilitiesPage, type Capability } from './capabilities.ts';
export { checkReferences, type Finding, type FindingCode } from './check-references.ts';
export { composeSingBox, takesNodes, type Composition } from './compose.ts';
export { dialectRows } from './dialects.ts';
export { diffOutbounds, type ChangedOutbound, type OutboundDiff } from './diff-outbounds.ts';
export type { Json } from './document.ts';
export type { Group, GroupMember, GroupType, RenderWarning, RenditionFile } from './parts.ts';
export { fullTarget, profileKey, type EngineTarget } from './profile.ts';
export { remoteRuleSets, type RemoteRuleSet, type RuleSetFile } from './remote-rule-sets.ts';
export { defaultSkeleton, renderSingBox, type LeftOut, type Rendered, type SingBoxConfig } from './render-config.ts';
export {
  renderDefaults,
  type DnsSettings,
  type InboundSettings,
  type RenderSettings,
  type UrltestSettings,
} from './render-settings.ts';
export { writeNodes, type WriteOptions, type WrittenNodes } from './write-nodes.ts';
export { adviceFor, type Advice, type AdviceCode } from './advise.ts';
export {
  behaviourChanges,
  deprecationTable,
  deprecationsIn,
  type BehaviourChange,
  type Deprecation,
  type DeprecationRow,
} from './deprecations.ts';
export type { ChangedGroup, ChangedItem, ConfigDiff, Renamed, TaggedDiff } from './config-diff.ts';
export { diffConfigs, type DiffOptions } from './diff-config.ts';
export type { ListDiff, ListedItem } from './diff-lists.ts';
export { parseIp } from './ip-ranges.ts';
export type { OutboundPath, PathStep, Selected, Verdict } from './outbound-path.ts';
export type { Flow } from './route-facts.ts';
export {
  createRouteMatcher,
  matchRoute,
  type MatchOptions,
  type RouteMatch,
  type RouteStep,
  type RuleSetContents,
} from './route-match.ts';
export type { RegexFactory } from './rule-conditions.ts';
export { parseSrs, type SrsOptions } from './rule-sets-binary.ts';
export { parseRuleSet, type RuleSet } from './rule-sets-json.ts';
export { ruleText } from './rule-text.ts';
