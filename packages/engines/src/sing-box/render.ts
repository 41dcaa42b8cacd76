/** How the manager and the command line make configurations for sing-box and look at them. */
export { capabilities, capabilitiesPage, type Capability } from './nodes/capabilities.ts';
export { checkReferences, type Finding, type FindingCode } from './checks/check-references.ts';
export { composeSingBox, takesNodes, type Composition } from './compose/compose.ts';
export { dialectRows } from './dialects/dialects.ts';
export { isRecord, type Json } from './document.ts';
export type { Group, GroupMember, GroupType, RenderWarning, RenditionFile } from './parts.ts';
export { lineOf, wholeVersion } from './supported-lines.ts';
export { fullTarget, profileKey, type EngineTarget } from './profile.ts';
export { remoteRuleSets, type RemoteRuleSet, type RuleSetFile } from './compose/remote-rule-sets.ts';
export {
  defaultSkeleton,
  renderSingBox,
  type LeftOut,
  type Rendered,
  type SingBoxConfig,
} from './compose/render-config.ts';
export {
  renderDefaults,
  type DnsSettings,
  type InboundSettings,
  type RenderSettings,
  type UrltestSettings,
} from './compose/render-settings.ts';
export { writeNodes, type WriteOptions, type WrittenNodes } from './nodes/write-nodes.ts';
export { adviceFor, type Advice, type AdviceCode } from './checks/advise.ts';
export {
  behaviourChanges,
  deprecationTable,
  deprecationsIn,
  type BehaviourChange,
  type Deprecation,
  type DeprecationRow,
} from './checks/deprecations.ts';
export type { ChangedGroup, ChangedItem, ConfigDiff, Renamed, TaggedDiff } from './changes/config-diff.ts';
export { diffConfigs, type DiffOptions } from './changes/diff-config.ts';
export type { ListDiff, ListedItem } from './changes/diff-lists.ts';
export { parseIp } from './routes/ip-ranges.ts';
export type { OutboundPath, PathStep, Selected, Verdict } from './routes/outbound-path.ts';
export type { Flow } from './routes/route-facts.ts';
export {
  createRouteMatcher,
  matchRoute,
  type MatchOptions,
  type RouteMatch,
  type RouteStep,
  type RuleSetContents,
} from './routes/route-match.ts';
export type { RegexFactory } from './routes/rule-conditions.ts';
export { parseSrs, type SrsOptions } from './routes/rule-sets-binary.ts';
export { parseRuleSet, type RuleSet } from './routes/rule-sets-json.ts';
export { ruleText } from './routes/rule-text.ts';
