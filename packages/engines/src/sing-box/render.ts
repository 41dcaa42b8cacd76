/** How the manager and the command line make configurations for sing-box and look at them. */
export { checkReferences, type Finding, type FindingCode } from './check-references.ts';
export { diffOutbounds, type ChangedOutbound, type OutboundDiff } from './diff-outbounds.ts';
export { profileKey, type EngineTarget } from './profile.ts';
export { renderSingBox, type LeftOut, type Rendered, type SingBoxConfig } from './render-config.ts';
export {
  renderDefaults,
  type DnsSettings,
  type InboundSettings,
  type RenderSettings,
  type UrltestSettings,
} from './render-settings.ts';
