/** From nodes to a config: operators, groups, templates, tests and explanations. Pure: no files, no network. */
export { countryName } from './countries/country-names.ts';
export { findCountry } from './countries/find-country.ts';
export { countryFlag } from './countries/flags.ts';
export { explainNode, traceNode, type NodeExplanation } from './explain-node.ts';
export { followChoice, type Choice } from './groups.ts';
export type { PipedNode, PipelineSource, SourceNode } from './piped-node.ts';
export {
  applyPolicies,
  blamed,
  countryPolicy,
  expressionNodes,
  limitPolicy,
  protocolPolicy,
  readyExpressions,
  readyPolicies,
  type PolicyFinding,
} from './policies.ts';
export { policySchema, type Policy } from '@sbox/protocol/pipeline';
export { resolveHosts, type Lookup, type ResolveOptions } from './resolve-hosts.ts';
export { hostsToResolve, runPipeline, type PipelineDeps, type PipelineResult } from './run-pipeline.ts';
export type { Effect, Trace, TraceStep } from './trace.ts';
export { validatePipeline } from './validate-pipeline.ts';
export { adoptConfig, type Adopted, type AdoptOptions } from './templates/adopt-config.ts';
export { checkTemplate, fillTemplate } from './templates/fill-template.ts';
export { patchDocument } from './templates/patch-document.ts';
export { hideSecrets, readParams, type ParamValues } from './templates/read-params.ts';
export { readyTemplate, readyTemplates } from './templates/ready-templates.ts';
export { openOf, secretsOf } from './templates/secret-places.ts';
export { rulePresets, type RulePreset } from './templates/rule-presets.ts';
export { runConfigTests, type ConfigTestResult } from './config-tests.ts';
export { parseDestination, readQuestion, type Assumption, type Question } from './destination.ts';
export {
  createDestinationExplainer,
  explainDestination,
  type DestinationExplanation,
  type RouteOptions,
} from './explain-destination.ts';
export { explainText } from './explain-text.ts';
export { toJUnit } from './junit.ts';
export { placeNode, type NodePlace } from './place-node.ts';
export { re2Regex } from './re2-regex.ts';
export { upgradePreview, type UpgradePreview, type UpgradeQuestion } from './upgrade-preview.ts';
